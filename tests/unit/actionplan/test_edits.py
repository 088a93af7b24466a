"""Edits are absolute and undo each other exactly; the patch that is sent is what the edits say."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.core.actionplan.edits import (
    ABSENT,
    Edit,
    as_text,
    changes,
    edit,
    from_text,
    merge_patch,
    merged,
    stands,
    value_at,
)
from sentinel_operator.core.actionplan.intent import of, patch, read, recorded, standing

SCALARS = st.one_of(st.booleans(), st.integers(-5, 5), st.text("ab", max_size=2))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple)


def a_live(spec: Any, *, generation: int = 1, version: str = "7") -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "shop", "uid": "u", "generation": generation, "resourceVersion": version}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def reaches(live: Any, path: tuple[str, ...]) -> bool:
    """An edit below something that is no object would have to replace it."""
    return all(
        isinstance(each, dict) or each is ABSENT for each in (value_at(live, path[:n]) for n in range(len(path)))
    )


@given(OBJECTS, PATHS, st.one_of(st.just(ABSENT), VALUES))
def test_an_edit_and_its_inverse_leave_exactly_what_was_there(live: Any, path: tuple[str, ...], value: Any):
    if not reaches(live, path):
        return
    made = edit(live, path, value)
    after = merged(copy.deepcopy(live), merge_patch(changes([made])))
    assert value_at(after, path) == value
    assert stands(after, [made])
    assert merged(copy.deepcopy(after), merge_patch(changes([made.inverse()]))) == live


@given(PATHS, VALUES, VALUES)
def test_the_inverse_of_the_inverse_is_the_edit(path: tuple[str, ...], before: Any, after: Any):
    made = Edit(path, before, after)
    assert made.inverse().inverse() == made


@given(OBJECTS, PATHS, VALUES, st.integers(0, 3))
def test_an_intent_survives_the_status_and_its_double_inverse_is_itself(
    spec: Any, path: tuple[str, ...], value: Any, generation: int
):
    if not reaches(spec, path):
        return
    live = a_live(spec, generation=generation)
    intent = of(live, [edit(live, ("spec", *path), value)], evict=["p1"])
    assert read(recorded(intent)) == intent
    twice = intent.inverse(live).inverse(live)
    assert (twice.ref, twice.generation, twice.edits) == (intent.ref, intent.generation, intent.edits)


@given(st.one_of(st.just(ABSENT), VALUES))
def test_values_survive_as_text(value: Any):
    assert from_text(as_text(value)) == value


def test_what_is_done_is_told_from_what_is_not_and_from_what_others_did():
    live = a_live({"replicas": 3})
    intent = of(live, [edit(live, ("spec", "replicas"), 5)])
    assert standing(intent, live) == "Untouched"
    assert standing(intent, a_live({"replicas": 5}, generation=2)) == "Applied"
    assert standing(intent, a_live({"replicas": 4}, generation=2)) == "Moved"
    assert standing(intent, a_live({"replicas": 3}, generation=3)) == "Moved", "changed and changed back"
    assert standing(intent, None) == "Gone"
    namesake = a_live({"replicas": 3})
    namesake["metadata"]["uid"] = "other"
    assert standing(intent, namesake) == "Gone"


def test_replicas_go_through_the_scale_subresource_unless_they_are_to_be_absent():
    live = a_live({"replicas": 3}, version="9")
    request = patch(of(live, [edit(live, ("spec", "replicas"), 5)]), live)
    assert (request.subresource, request.body) == ("scale", {"spec": {"replicas": 5}})
    assert (request.ref.uid, request.ref.resource_version) == ("u", "9")
    bare = a_live({})
    there = of(bare, [edit(bare, ("spec", "replicas"), 5)])
    assert (patch(there, bare).subresource, patch(there, bare).body) == ("", {"spec": {"replicas": 5}})
    back = there.inverse(bare)
    assert (patch(back, bare).subresource, patch(back, bare).body) == ("", {"spec": {"replicas": None}})
