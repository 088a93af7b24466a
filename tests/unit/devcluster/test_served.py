from __future__ import annotations

from devcluster.errors import DevclusterError
from devcluster.served import await_served


def test_each_kind_is_asked_for_until_it_is_served() -> None:
    refusals = {"/apis/g/v1/ones": 2, "/apis/g/v1/others": 0}
    asked: list[str] = []

    def kubectl(*words: str) -> str:
        path, _, _ = words[-1].partition("?")
        asked.append(path)
        refusals[path] -= 1
        if refusals[path] >= 0:
            raise DevclusterError("404 page not found")
        return "{}"

    await_served(kubectl, *refusals)

    assert asked == ["/apis/g/v1/ones"] * 3 + ["/apis/g/v1/others"]
