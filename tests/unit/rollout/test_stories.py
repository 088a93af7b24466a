"""Rollouts told act by act: the verbs, what exploration found on the way, and what the systems before got wrong."""

from __future__ import annotations

import pytest

from sentinel_operator.core.rollout.routes import Routes
from tests.unit.rollout.model import Pods, World
from tests.unit.rollout.scenarios import ANALYSIS, BLUE_GREEN, FORMER, ROLLING, canary, spec
from tests.unit.rollout.story import Story

A, B, C = "a", "b", "c"


def at_analysis(wanted: int = 2, **fields) -> Story:
    """b gets half of the requests and is being analysed."""
    story = Story(B, wanted, canary(**fields))
    story.passes(2).ready(B, story.of(B).replicas).passes().ready(B, story.of(B).replicas).synced().passes()
    assert story.decision.analysis is not None
    return story


# ------------------------------------------------------------------------------------- what exploration has found


def test_a_drain_is_not_counted_from_before_a_switch_that_was_never_written_down():
    """The pass that opens the routing dies before the status; the abort comes before the next pass."""
    story = Story(B, 2, canary()).passes(2).ready(B, 1).later(6).dies_after(1).synced()
    assert story.of(B).endpoints == 1
    story.says(B, 2, canary(abort=B)).dies_after(1).synced()
    assert (story.of(B).ready, story.of(B).endpoints) == (1, 0)
    assert story.decision.replicas[B] == 1, "its requests have only just been taken away"
    story.passes().later(6).passes()
    assert story.of(B).replicas == 0


def test_a_switch_that_was_taken_back_and_made_again_drains_anew():
    story = at_analysis(1).verdict("Pass").passes(2).synced().passes()
    assert story.world.state.settled_routing == "b=100@now"
    story.ready(B, 0).dies_after(1).synced().ready(B, 1).later(6).dies_after(1).synced()
    assert story.world.written == Routes.only(B)
    story.passes()
    assert story.world.state.stable == A, "stable was sent requests a moment ago"


def test_a_candidate_whose_share_is_lowered_keeps_its_pods_until_others_are_seen_to_serve():
    story = at_analysis().verdict("Pass").passes(2).synced()
    assert (story.of(A).endpoints, story.of(B).endpoints) == (0, 2)
    story.says(B, 2, canary([{"setWeight": 20}])).passes()
    assert story.of(B).replicas == 2
    story.synced().passes()
    assert story.of(B).replicas == 1


def test_a_third_revision_does_not_cut_off_the_second_while_stable_lacks_pods():
    story = Story(B, 2, ROLLING).passes(2).ready(B, 1).passes().synced().passes()
    assert story.of(A).replicas == 1
    story.says(C, 2, ROLLING).passes(3)
    assert story.world.state.candidate == C
    assert story.world.written is not None
    assert story.world.written.shared, "b carries half of the requests"


def test_nothing_is_stalled_while_nothing_is_wanted():
    story = Story(B, 2, canary()).passes().says(B, 0, canary()).passes().later(12).later(12).passes()
    assert story.decision.standing.phase == "Waiting"
    assert story.decision.standing.reason == "ScaledToZero"
    assert [pods.replicas for pods in story.world.pods] == [0]


def test_a_pause_does_not_use_up_the_deadline():
    story = Story(B, 2, canary()).passes(2).says(B, 2, canary(paused=B)).passes().later(12).later(12)
    assert story.decision.standing.reason == "Paused"
    story.says(B, 2, canary()).passes()
    assert story.decision.standing.reason == "WaitingForPods"


# ------------------------------------------------------------------------------------- verdicts


def test_a_failed_analysis_returns_everything_in_the_same_pass_and_is_remembered():
    story = at_analysis().verdict("Fail").passes()
    assert story.world.written == Routes.only(A)
    assert story.told[-1] == "RevisionRejected"
    story.calms()
    assert (story.of(A).ready, story.of(B).replicas) == (2, 0)
    assert story.decision.standing.reason == "RevisionRejected"
    assert story.decision.standing.stalled


def test_a_rejected_revision_applied_again_is_not_deployed_again():
    story = at_analysis().verdict("Fail").calms().says(A, 2, canary()).calms().says(B, 2, canary()).calms()
    assert story.of(B).replicas == 0
    assert story.decision.standing.reason == "RevisionRejected"
    assert "retry: {revision: b, attempt: 2}" in story.decision.standing.message


def test_a_retry_is_made_once():
    retried = canary(retry={"revision": B})
    story = at_analysis().verdict("Fail").calms().says(B, 2, retried).passes(3)
    assert (story.world.state.candidate, story.world.state.attempt) == (B, 2)
    story.until("Progressing")
    while story.decision.analysis is None:
        story.passes().ready(B, story.of(B).replicas).synced()
    assert story.decision.analysis.key == "b/1/2", "no verdict of the first attempt counts"
    story.verdict("Fail").calms()
    assert story.decision.standing.reason == "RevisionRejected", "the verb is still there, and used up"


def test_another_revision_is_delivered_after_a_rejected_one():
    story = at_analysis().verdict("Fail").calms().says(C, 2, canary()).calms()
    assert story.world.state.stable == C


@pytest.mark.parametrize("verdict", ["Inconclusive", "Error"])
def test_what_says_nothing_is_never_counted_as_bad(verdict):
    story = at_analysis().verdict(verdict).passes().later(12).later(12).passes()
    assert story.decision.standing.phase == "Paused"
    assert not story.decision.records
    assert story.decision.routes.shared, "it keeps its share"
    story.says(B, 2, canary(promote={"revision": B, "step": 1})).calms()
    assert story.world.state.stable == B


def test_an_analysis_without_anything_to_compare_with_is_told_so():
    story = at_analysis()
    assert (story.decision.analysis.revision, story.decision.analysis.baseline) == (B, A)
    judged = spec("BlueGreen", blueGreen={"postPromotionAnalysis": ANALYSIS})
    story = Story(B, 2, judged).passes(2).ready(B, 2).passes(3).synced().passes()
    assert story.decision.analysis is not None
    assert story.decision.analysis.baseline == ""


# ------------------------------------------------------------------------------------- verbs


def test_an_abort_returns_everything_in_one_pass():
    story = at_analysis().says(B, 2, canary(abort=B)).passes()
    assert story.world.written == Routes.only(A)
    assert story.decision.standing.reason == "RevisionAborted"
    story.says(B, 2, canary()).calms()
    assert story.decision.standing.reason == "RevisionAborted", "taking the verb back does not deliver it again"


def test_an_abort_after_the_switch_returns_at_once():
    story = Story(B, 2, BLUE_GREEN).passes(2).ready(B, 2).passes(3).synced()
    assert story.of(B).endpoints == 2
    story.says(B, 2, spec("BlueGreen", abort=B)).passes().synced()
    assert (story.of(A).endpoints, story.of(B).endpoints) == (2, 0)


@pytest.mark.parametrize(
    "verb",
    [
        {"abort": "gone"},
        {"paused": "gone"},
        {"retry": {"revision": "gone"}},
        {"promote": {"revision": "gone", "full": True}},
        {"promote": {"revision": B, "attempt": 7, "full": True}},
        {"rollbackTo": {"revision": A, "insteadOf": "gone"}},
    ],
    ids=str,
)
def test_a_verb_for_another_revision_or_attempt_does_nothing(verb):
    with_verb, without = at_analysis(**verb), at_analysis()
    assert with_verb.world == without.world
    assert with_verb.decision == without.decision


def test_promotion_in_full_skips_what_is_left():
    full = canary(promote={"revision": B, "full": True})
    story = at_analysis().says(B, 2, full).passes(4).ready(B, 2).synced().calms()
    assert story.world.state.stable == B
    assert not story.world.passed
    assert "PromotedInFull" in story.told


def test_a_promotion_goes_past_the_step_that_it_names_and_no_further():
    steps = [{"setWeight": 50}, {"pause": {}}, {"pause": {}}]
    story = Story(B, 2, canary(steps)).calms()
    assert story.world.state.step == 1
    story.says(B, 2, canary(steps, promote={"revision": B, "step": 1})).calms()
    assert story.world.state.step == 2
    assert story.decision.standing.reason == "Paused"


def test_a_rollback_skips_steps_within_the_window_and_does_nothing_once_the_spec_moves_on():
    back = canary(rollbackTo={"revision": B, "insteadOf": A}, rollbackWindow={"revisions": 3})
    former = FORMER._replace(pods=(*FORMER.pods, FORMER.pods[0]._replace(id=B, replicas=0, ready=0, endpoints=0)))
    story = Story(A, 2, back, start=former).calms()
    assert story.world.state.stable == B
    assert not story.world.passed, "it was good lately"
    story.says(C, 2, back).calms()
    assert story.world.state.stable == C


def test_a_rollback_to_what_is_not_kept_says_so():
    story = Story(A, 2, canary(rollbackTo={"revision": "gone", "insteadOf": A})).calms()
    assert story.decision.standing.reason == "RevisionNotFound"
    assert story.of(A).ready == 2


def test_without_a_slot_it_says_what_it_waits_for():
    story = Story(B, 2, canary(), budget=False).calms()
    assert story.decision.standing.message == "waits for another rollout"
    assert story.decision.wants_slot
    assert story.of(B).replicas == 0


# ------------------------------------------------------------------------------------- what was wrong before


@pytest.mark.parametrize("wanted", [2, 10])
def test_capacity_never_falls_and_the_declared_number_is_restored(wanted):
    """The count was once read back from a stable that had been shrunk: 10, 9, 8, 6, 4, 2."""
    story = Story(B, wanted, canary([{"setWeight": weight} for weight in (10, 50, 100)]))
    for _ in range(40):
        story.passes()
        served = sum(min(pods.ready, pods.endpoints) for pods in story.world.pods)
        assert served >= wanted
        for pods in story.world.pods:
            story.ready(pods.id, pods.replicas)
        story.synced().later(6)
    assert story.world.state.stable == B, "the new revision is promoted, not deleted"
    assert (story.of(B).replicas, story.of(B).ready, story.of(A).replicas) == (wanted, wanted, 0)


def test_one_bad_probe_below_the_threshold_rolls_nothing_back():
    story = at_analysis()
    story.world = story.world._replace(analysis=(story.decision.analysis.key, "Running"))
    story.passes(3)
    assert story.world.state.candidate == B
    assert story.decision.routes.shared


def test_two_operators_in_turn_deliver_it_once():
    story = Story(B, 2, canary())
    for _ in range(80):
        story.dies_after(1)
        for pods in story.world.pods:
            story.ready(pods.id, pods.replicas)
        story.synced()
        if story.decision.analysis is not None:
            story.verdict("Pass")
        story.later(6)
    assert story.world.state.stable == B
    assert story.world.history[1].attempt == 1


def test_a_shadow_gets_copies_and_no_requests():
    shadow = spec("Shadow", shadow={"percent": 50, "duration": "6s"})
    story = Story(B, 4, shadow).passes(2).ready(B, 2).passes(2).ready(B, 2).synced()
    assert story.decision.mirror is not None
    assert (story.decision.mirror.revision, story.decision.mirror.percent) == (B, 50)
    assert story.of(B).endpoints == 0
    assert story.decision.analysis is not None


def test_the_first_revision_needs_no_analysis():
    story = Story(A, 2, canary(), start=World()).calms()
    assert story.world.state.stable == A
    assert story.told == ["NewRevision", "RevisionPromoted"]


@pytest.mark.parametrize("target", ["", A])
def test_pods_are_left_alone_while_nothing_is_known_of_them(target):
    """The status is empty and no pod is ready for the moment, as after an upgrade in the middle of a start."""
    start = World(pods=(Pods(A, 3, 0, 0),), written=Routes.only(A), applied=Routes.only(A))
    story = Story(target, 3, canary(), start=start).passes(3)
    assert story.of(A).replicas == 3


def test_weight_wanted_and_weight_that_is_are_both_told():
    story = Story(B, 4, canary([{"setWeight": 10}, {"pause": {}}])).calms()
    assert (story.decision.weight_wanted, story.decision.weight) == (10, 20)
