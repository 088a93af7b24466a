"""The cache never goes back in time, and knows whose child is whose."""

from __future__ import annotations

from typing import Any

from sentinel_operator.engine.cache import Key, ObjectCache, Owner

A, B = Owner("Toy", "ns", "a"), Owner("Toy", "ns", "b")


def raw(name: str, version: int, *, uid: str = "u1", owner: str = "a", **more: Any) -> dict[str, Any]:
    labels = {"sentinel.dev/kind": "Toy", "sentinel.dev/name": owner}
    about = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**about, "managedFields": [{}]}, **more}


def test_newer_replaces_older_and_not_the_other_way_round() -> None:
    cache = ObjectCache()
    assert cache.put(raw("x", 9))
    assert cache.put(raw("x", 10)), "compared as numbers, not as text"
    assert not cache.put(raw("x", 9))
    assert not cache.put(raw("x", 10)), "an own write that comes back by the watch is no news"
    known = cache.get(Key("ns", "x"))
    assert known is not None
    assert known["metadata"]["resourceVersion"] == "10"
    assert "managedFields" not in known["metadata"]


def test_children_are_found_by_owner_and_move_with_their_labels() -> None:
    cache = ObjectCache()
    cache.put(raw("y", 1))
    cache.put(raw("x", 2))
    assert [each["metadata"]["name"] for each in cache.owned_by(A)] == ["x", "y"]
    affected = cache.put(raw("x", 3, owner="b"))
    assert [each["metadata"]["labels"]["sentinel.dev/name"] for each in affected] == ["b", "a"], "both are told"
    assert [each["metadata"]["name"] for each in cache.owned_by(A)] == ["y"]
    assert [each["metadata"]["name"] for each in cache.owned_by(B)] == ["x"]


def test_a_late_deletion_does_not_hit_the_namesake() -> None:
    cache = ObjectCache()
    cache.put(raw("x", 5))
    cache.put(raw("x", 9, uid="u2"))
    assert not cache.drop(raw("x", 7))
    assert Key("ns", "x") in cache
    assert cache.drop(raw("x", 11, uid="u2"))
    assert Key("ns", "x") not in cache


def test_an_own_deletion_is_not_undone_by_older_news() -> None:
    cache = ObjectCache()
    cache.put(raw("x", 5))
    cache.deleted(Key("ns", "x"), "u1")
    assert not cache.put(raw("x", 6)), "a change made before the deletion, watched after it"
    assert not cache.drop(raw("x", 7))
    assert cache.put(raw("x", 8, uid="u2")), "a namesake is another object"


def test_a_relist_finds_what_was_deleted_unseen_and_spares_what_is_newer_than_the_list() -> None:
    cache = ObjectCache()
    for name, version in (("kept", 1), ("gone", 2), ("changed", 3)):
        cache.put(raw(name, version))
    cache.put(raw("written-meanwhile", 60))
    changed, gone = cache.replace([raw("kept", 1), raw("changed", 40), raw("new", 41)], "50")
    assert sorted(each["metadata"]["name"] for each in changed) == ["changed", "new"]
    assert [each["metadata"]["name"] for each in gone] == ["gone"]
    assert sorted(key.name for key in cache) == ["changed", "kept", "new", "written-meanwhile"]
    assert len(cache.owned_by(A)) == 4


def test_an_own_scaling_holds_until_the_watch_says_more() -> None:
    cache = ObjectCache()
    cache.put(raw("x", 5, spec={"replicas": 1}))
    cache.assume_replicas(Key("ns", "x"), 3)
    assert cache.owned_by(A)[0]["spec"] == {"replicas": 3}
    assert cache.put(raw("x", 6, spec={"replicas": 3}))
