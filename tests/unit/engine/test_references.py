"""References are read through a small cache that forgets."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.references import References
from sentinel_operator.engine.resources import ResourceTable


class Finder:
    """Finds everything but what is called absent, and counts."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def find(self, _: Any, namespace: str, name: str, /) -> dict[str, Any] | None:
        self.asked[name] += 1
        return None if name == "absent" else {"metadata": {"name": name, "managedFields": [{}]}}


def ref(name: str) -> ObjectRef:
    return ObjectRef("v1", "ConfigMap", "ns", name)


async def test_what_was_read_is_kept_for_half_a_minute_and_so_is_absence() -> None:
    finder, now = Finder(), [0.0]
    references = References(finder, ResourceTable(), clock=lambda: now[0])
    for moment in (0.0, 29.0, 31.0):
        now[0] = moment
        found = await references.read((ref("there"), ref("absent")))
        assert found == {ref("there"): {"metadata": {"name": "there"}}, ref("absent"): None}
    assert finder.asked == {"there": 2, "absent": 2}


async def test_it_holds_no_more_than_it_may() -> None:
    finder = Finder()
    references = References(finder, ResourceTable(), clock=lambda: 0.0, capacity=2)
    for name in ("a", "b", "c", "a"):
        await references.read((ref(name),))
    assert finder.asked == {"a": 2, "b": 1, "c": 1}
