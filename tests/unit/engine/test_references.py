"""References are read through a small cache that forgets, and whoever read one hears of its change."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.cache import Key
from sentinel_operator.engine.references import References
from sentinel_operator.engine.resources import ResourceTable

FRAUD, SPAM = Key("ns", "fraud"), Key("ns", "spam")


class Finder:
    """Finds everything but what is called absent, and counts."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.open = asyncio.Event()
        self.open.set()

    async def find(self, _: Any, namespace: str, name: str, /) -> dict[str, Any] | None:
        self.asked[name] += 1
        found = None if name == "absent" else {"metadata": {"name": name, "managedFields": [{}]}}
        await self.open.wait()
        return found


def ref(name: str) -> ObjectRef:
    return ObjectRef("v1", "ConfigMap", "ns", name)


def never_later(finder: Finder, **more: Any) -> References:
    return References(finder, ResourceTable(), clock=lambda: 0.0, **more)


async def test_what_was_read_is_kept_for_half_a_minute_and_so_is_absence() -> None:
    finder, now = Finder(), [0.0]
    references = References(finder, ResourceTable(), clock=lambda: now[0])
    for moment in (0.0, 29.0, 31.0):
        now[0] = moment
        found = await references.read(FRAUD, (ref("there"), ref("absent")))
        assert found == {ref("there"): {"metadata": {"name": "there"}}, ref("absent"): None}
    assert finder.asked == {"there": 2, "absent": 2}


async def test_it_holds_no_more_than_it_may() -> None:
    finder = Finder()
    references = never_later(finder, capacity=2)
    for name in ("a", "b", "c", "a"):
        await references.read(FRAUD, (ref(name),))
    assert finder.asked == {"a": 2, "b": 1, "c": 1}


async def test_a_change_concerns_those_who_read_it_and_is_read_anew() -> None:
    finder = Finder()
    references = never_later(finder)
    await references.read(FRAUD, (ref("a"), ref("b")))
    await references.read(SPAM, (ref("b"), ref("absent")))
    assert references.changed(ref("a")) == (FRAUD,)
    assert set(references.changed(ref("b"))) == {FRAUD, SPAM}
    assert references.changed(ref("absent")) == (SPAM,)
    assert references.changed(ref("of nobody")) == ()
    await references.read(FRAUD, (ref("a"), ref("b")))
    assert finder.asked == {"a": 2, "b": 2, "absent": 1}


async def test_who_names_another_object_now_hears_of_that_one_alone() -> None:
    references = never_later(Finder())
    await references.read(FRAUD, (ref("a"),))
    await references.read(FRAUD, (ref("b"),))
    assert references.changed(ref("a")) == ()
    assert references.changed(ref("b")) == (FRAUD,)
    references.forget(FRAUD)
    assert references.changed(ref("b")) == ()
    assert references.all_changed() == ()


async def test_after_a_gap_everything_is_read_anew_by_everybody() -> None:
    finder = Finder()
    references = never_later(finder)
    await references.read(FRAUD, (ref("a"),))
    await references.read(SPAM, ())
    assert references.all_changed() == (FRAUD,)
    await references.read(FRAUD, (ref("a"),))
    assert finder.asked == {"a": 2}


async def test_an_answer_from_before_a_change_is_not_kept() -> None:
    finder = Finder()
    references = never_later(finder)
    finder.open.clear()
    reading = asyncio.create_task(references.read(FRAUD, (ref("a"),)))
    while not finder.asked:  # noqa: ASYNC110 - one turn of the loop
        await asyncio.sleep(0)
    assert references.changed(ref("a")) == (FRAUD,)
    finder.open.set()
    await reading
    await references.read(FRAUD, (ref("a"),))
    assert finder.asked == {"a": 2}
