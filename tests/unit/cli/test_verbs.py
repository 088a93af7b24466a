"""Verbs as they are said, and what the operator then does: the words are put into the spec of a simulated cluster."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sentinel_operator.api.serving import ExitCode
from sentinel_operator.cli.delivery import Delivery
from sentinel_operator.cli.verbs import word
from sentinel_operator.cli.words import Order, Refused, Word
from sentinel_operator.core.admission.sentrymodel import read
from tests.support.builders import ModelBuilder, a_model, merged
from tests.support.simulation import World

WAITING = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]}}


def canary(version: int, **rollout: Any) -> ModelBuilder:
    return (
        a_model().with_version(f"{version}.0.0").with_replicas(4).with_rollout(strategy="Canary", **WAITING | rollout)
    )


def serving(**rollout: Any) -> World:
    world = World.of(canary(1, **rollout))
    world.settle()
    return world


def waiting() -> World:
    """Version 1 serves, and version 2 waits at the first pause."""
    world = serving()
    world.edit(canary(2))
    world.settle()
    return world


def give(world: World, verb: str, **more: Any) -> Word:
    """Says a verb as the command line would, and lets the operator act upon it."""
    force = more.pop("force", False)
    found = word(Order(verb=verb, **more), Delivery(world.model), force=force)
    after = merged(world.model["spec"], found.patch["spec"])
    if after != world.model["spec"]:
        metadata = world.model["metadata"]
        world.model = {**world.model, "spec": after, "metadata": {**metadata, "generation": metadata["generation"] + 1}}
    assert read(world.model)[1] == ()
    world.settle()
    return found


def refusal(world: World, verb: str, **more: Any) -> str:
    with pytest.raises(Refused) as refused:
        word(Order(verb=verb, **more), Delivery(world.model))
    return str(refused.value)


def revision(world: World, side: str = "stable") -> str:
    return str(world.status[side]["revision"])


def test_promote_goes_on_past_the_step_and_the_next_waits_for_its_own_word() -> None:
    world = waiting()
    assert world.status["rollout"]["step"] == 1
    found = give(world, "promote")
    assert found.value == {"revision": revision(world, "canary"), "attempt": 1, "step": 1}
    assert "(2.0.0) goes on past step 1 (pause until promoted)" in found.told
    assert (world.status["rollout"]["phase"], world.status["rollout"]["step"]) == ("Paused", 3)
    give(world, "promote")
    assert world.replicas() == {"2.0.0": 4}
    assert world.status["rollout"]["phase"] == "Stable"


def test_promote_in_full_skips_what_is_left() -> None:
    world = waiting()
    give(world, "promote", full=True)
    assert world.replicas() == {"2.0.0": 4}


def test_a_word_that_was_kept_in_the_spec_does_nothing_to_the_next_revision() -> None:
    world = waiting()
    give(world, "promote", full=True)
    world.edit(ModelBuilder(merged(canary(3).raw, {"spec": {"rollout": world.model["spec"]["rollout"]}})))
    world.settle()
    assert world.status["rollout"]["phase"] == "Paused"
    replaced = give(world, "promote")
    assert replaced.field == "promote"
    assert world.status["rollout"]["step"] == 3


def test_the_same_word_twice_writes_nothing() -> None:
    world = waiting()
    world.model["spec"]["rollout"]["paused"] = revision(world, "canary")
    found = word(Order(verb="pause"), Delivery(world.model))
    assert found.nothing
    assert "says so already" in found.told


def test_abort_gives_everything_back_and_retry_delivers_again() -> None:
    world = waiting()
    candidate = revision(world, "canary")
    told = give(world, "abort").told
    assert f"all requests go back to {revision(world)} (1.0.0)" in told
    assert world.replicas() == {"1.0.0": 4}
    assert "was aborted; to deliver it again: kubectl sentinel retry" in refusal(world, "abort")
    found = give(world, "retry")
    assert (found.value, found.removes) == ({"revision": candidate, "attempt": 2}, ("abort",))
    assert world.status["rollout"]["attempt"] == 2
    assert world.status["rollout"]["phase"] == "Paused"
    assert refusal(world, "retry").startswith(f"nothing to retry: {candidate} (2.0.0) is being delivered")
    give(world, "promote", full=True)
    assert world.replicas() == {"2.0.0": 4}


def test_an_abort_that_is_taken_back_leaves_the_revision_barred() -> None:
    world = waiting()
    give(world, "abort")
    assert "stays barred until retry" in give(world, "undo").told
    assert world.replicas() == {"1.0.0": 4}
    assert world.status["rollout"]["phase"] == "Stalled"
    assert refusal(world, "undo") == "nothing to undo: spec.rollout has no verb"


def test_a_rejected_revision_is_retried_once_it_can_be_good() -> None:
    world = serving()
    world.fate = lambda version: ExitCode.DigestMismatch if version == "2.0.0" else None
    world.edit(canary(2))
    world.settle()
    assert "was rejected" in refusal(world, "promote")
    world.fate = lambda _: None
    assert "rejected before, is delivered again: attempt 2" in give(world, "retry").told
    assert world.status["rollout"]["phase"] == "Paused"


def test_pause_keeps_the_step_and_resume_goes_on() -> None:
    world = serving(canary={"steps": [{"setWeight": 20}, {"pause": {"duration": "10m"}}]})
    world.edit(canary(2, canary={"steps": [{"setWeight": 20}, {"pause": {"duration": "10m"}}]}))
    world.settle()
    assert give(world, "pause").told.endswith("stays at step 1 until resume")
    world.wait(3600)
    world.settle()
    assert world.status["rollout"]["phase"] == "Paused"
    stands = refusal(world, "promote")
    assert stands.startswith("spec.rollout.paused is set and in force")
    give(world, "resume")
    assert world.replicas() == {"2.0.0": 4}


def test_force_puts_a_verb_in_the_place_of_another() -> None:
    world = waiting()
    give(world, "pause")
    found = give(world, "promote", force=True)
    assert found.removes == ("paused",)
    assert world.status["rollout"]["step"] == 3


@pytest.mark.parametrize("verb", ["abort", "rollback"])
def test_what_stops_a_rollout_needs_no_other_word_taken_back_first(verb: str) -> None:
    world = waiting()
    give(world, "pause")
    give(world, verb)
    assert world.replicas() == {"1.0.0": 4}


def test_rollback_goes_to_the_former_revision_and_undo_comes_back() -> None:
    world = waiting()
    first, second = revision(world), revision(world, "canary")
    give(world, "promote", full=True)
    found = give(world, "rollback")
    assert found.value == {"revision": first, "insteadOf": second}
    assert world.status["canary"]["revision"] == first
    assert "spec.rollout.rollbackTo" in refusal(world, "abort")
    assert "take it back first" in refusal(world, "promote")
    give(world, "promote", full=True, force=True)
    assert world.status["stable"]["revision"] == second, "promote has taken the place of rollbackTo"


def test_rollback_within_the_window_is_at_once_and_undo_is_the_way_back() -> None:
    world = serving(rollbackWindow={"revisions": 3})
    world.edit(canary(2, rollbackWindow={"revisions": 3}))
    world.settle()
    give(world, "promote", full=True)
    give(world, "rollback")
    assert world.replicas() == {"1.0.0": 4}
    assert "asks for" in refusal(world, "rollback", revision=Delivery(world.model).target)
    assert "is delivered again, as the spec asks for it" in give(world, "undo").told
    assert world.replicas() == {"2.0.0": 4}


def test_rollback_of_what_has_not_taken_over_is_back_to_what_serves() -> None:
    world = waiting()
    first, second = revision(world), revision(world, "canary")
    assert give(world, "rollback").value == {"revision": first, "insteadOf": second}
    assert world.replicas() == {"1.0.0": 4}
    assert world.status["rollout"]["phase"] == "Stable"


def test_a_rollback_that_is_over_takes_no_part_in_the_next() -> None:
    world = waiting()
    give(world, "rollback")
    kept = world.model["spec"]["rollout"]
    world.edit(ModelBuilder(merged(canary(3).raw, {"spec": {"rollout": kept}})))
    world.settle()
    third = revision(world, "canary")
    assert Delivery(world.model).target == third
    assert give(world, "abort").removes == ("rollbackTo",)
    assert Delivery(world.model).target == third


def test_rollback_to_what_is_not_there_names_what_is() -> None:
    world = waiting()
    said = refusal(world, "rollback", revision="0badcafe")
    assert said == (
        f"there is no revision '0badcafe'; the history has: {revision(world, 'canary')} (2.0.0), "
        f"{revision(world)} (1.0.0)"
    )
    give(world, "abort")
    world.edit(ModelBuilder(merged(world.model, {"spec": canary(3).raw["spec"]})))
    world.settle()
    aborted = next(each["revision"] for each in world.status["revisions"] if each["verdict"] == "Aborted")
    assert "was aborted" in refusal(world, "rollback", revision=aborted)


NOTHING = {
    "promote": "nothing to promote: {stable} (1.0.0) serves, and no other revision is on its way",
    "abort": "nothing to abort: {stable} (1.0.0) serves, and no other revision is on its way",
    "pause": "nothing to pause: {stable} (1.0.0) serves, and no other revision is on its way",
    "retry": "nothing to retry: {stable} (1.0.0) serves, and no other revision is on its way",
    "resume": "nothing to resume: spec.rollout.paused is not set",
    "undo": "nothing to undo: spec.rollout has no verb",
    "rollback": "there is nothing to go back to: no revision but {stable} (1.0.0) was ever promoted",
}


@pytest.mark.parametrize("verb", NOTHING)
def test_where_nothing_is_on_its_way_nothing_can_be_said(verb: str) -> None:
    world = serving()
    assert refusal(world, verb) == NOTHING[verb].format(stable=revision(world))


@pytest.mark.parametrize("verb", ["promote", "abort", "pause", "retry", "rollback"])
def test_a_model_that_nobody_has_looked_at_yet(verb: str) -> None:
    world = World.of(canary(1))
    assert refusal(world, verb)


def test_a_step_that_waits_for_pods_waits_for_nobody() -> None:
    world = serving()
    world.edit(canary(2))
    for _ in range(3):
        world.pass_once()
    said = refusal(world, "promote")
    assert said.startswith("nothing to promote: step 0 (weight 20%) waits for nobody's word: ")
    assert "promote --full" in said


def test_the_hint_for_who_means_promote() -> None:
    assert refusal(waiting(), "resume").endswith("it waits to be promoted: kubectl sentinel promote")


def test_what_the_spec_asks_for_is_not_guessed_from_an_old_status() -> None:
    world = waiting()
    world.model = copy.deepcopy(world.model)
    world.model["metadata"]["generation"] += 1
    for verb in ("rollback", "retry"):
        assert refusal(world, verb).startswith("the operator has not looked at the newest spec yet")
