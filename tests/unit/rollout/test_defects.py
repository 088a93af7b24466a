"""What systems of this kind got wrong, and a rollout must not: each test names the mistake that it is about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sentinel_operator.api.serving import ExitCode
from sentinel_operator.core.analysis.contrast import Contrast
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import Failure, ObjectRef
from tests.support.builders import DIGEST_1, DIGEST_2, ModelBuilder, Raw, a_model
from tests.support.simulation import World

OLD, NEW = "1.0.0", "2.0.0"
TEN_FIFTY_ALL = [{"setWeight": weight} for weight in (10, 50, 100)]


def model(version: str, replicas: int, rollout: dict[str, Any]) -> ModelBuilder:
    digest = DIGEST_1 if version == OLD else DIGEST_2
    return a_model().with_version(version, digest).with_replicas(replicas).with_rollout(**rollout)


def canary(*steps: Raw, **more: Any) -> dict[str, Any]:
    return {"strategy": "Canary", "canary": {"steps": list(steps)}, **more}


def updated(replicas: int, rollout: dict[str, Any], **more: Any) -> World:
    """The old version serves, and the new one has just been asked for."""
    world = World.of(model(OLD, replicas, rollout), **more)
    world.settle()
    world.edit(model(NEW, replicas, rollout))
    return world


def verdicts(world: World) -> dict[str, str]:
    return {each["version"]: each["verdict"] for each in world.status["revisions"]}


def answering(world: World) -> set[str]:
    """The versions that the Service sends requests to, as its endpoints have them."""
    named = {endpoint["targetRef"]["name"] for endpoint in world.objects["EndpointSlice", "fraud"]["endpoints"]}
    return {pod.version for pod in world.pods if pod.builder.name in named}


# ---------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("replicas", [1, 2, 10, 50])
def test_the_share_of_a_step_is_one_of_what_was_declared(replicas: int):
    """The total was read back from a stable that earlier steps had shrunk: 10, 9, 8, 6, 4, 2, and 2 of 50 at the end.

    Stable keeps its number through every step, and each step counts from there.
    """
    world = updated(replicas, canary(*TEN_FIFTY_ALL))
    tenth = max(1, round(replicas / 9))
    seen: list[int] = []

    def look(now: World) -> None:
        assert now.ready() >= replicas, "capacity fell below what was declared"
        if "canary" in now.status:
            assert now.replicas().get(OLD) == replicas, "stable has lost pods before the candidate took over"
        count = now.replicas().get(NEW, 0)
        if count != (seen[-1] if seen else 0):
            seen.append(count)

    world.watched = look
    world.settle()
    assert seen == sorted({1, tenth, replicas}), "a Deployment begins with one pod"
    assert world.replicas() == {NEW: replicas}


@pytest.mark.parametrize("replicas", [1, 10])
def test_what_is_promoted_is_the_new_version(replicas: int):
    """The canary was deleted at the end and its image never given to stable: each success brought the old one back."""
    world = updated(replicas, canary(*TEN_FIFTY_ALL))
    world.settle()
    left = {each["metadata"]["name"]: each for (kind, _), each in world.objects.items() if kind == "Deployment"}
    serving = left[f"fraud-{world.status['stable']['revision']}"]
    assert serving["metadata"]["annotations"]["sentinel.dev/version"] == NEW
    assert serving["spec"]["replicas"] == replicas
    config = world.objects["ConfigMap", serving["metadata"]["name"]]
    assert DIGEST_2 in config["data"]["fetch.json"], "its pods fetch and verify the new artifact"
    assert answering(world) == {NEW}
    assert verdicts(world)[NEW] == "Promoted"


@pytest.mark.parametrize("replicas", [2, 50])
def test_a_return_gives_stable_the_number_that_was_declared(replicas: int):
    """The original number was read from a stable that had been shrunk meanwhile, and so a return left it shrunken."""
    world = updated(replicas, canary({"setWeight": 50}, {"pause": {}}))
    world.settle()
    stable = world.objects["Deployment", f"fraud-{world.status['stable']['revision']}"]
    stable["spec"]["replicas"] = 1  # somebody's hand
    abort = canary({"setWeight": 50}, {"pause": {}}, abort=world.status["rollout"]["candidate"])
    world.edit(model(NEW, replicas, abort))
    world.settle()
    assert world.replicas() == {OLD: replicas}
    assert answering(world) == {OLD}


# ---------------------------------------------------------------------------------------------- strategies


STRATEGIES: dict[str, dict[str, Any]] = {
    "Canary": canary({"setWeight": 50}, {"pause": {"duration": "10s"}}),
    "BlueGreen": {"strategy": "BlueGreen", "blueGreen": {"scaleDownDelay": "10s"}},
    "RollingUpdate": {"strategy": "RollingUpdate"},
    "Recreate": {"strategy": "Recreate"},
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_that_may_be_declared_is_carried_out(strategy: str):
    """Blue-green was accepted, and then carried out as an ordinary update in which both versions answer."""
    world = updated(3, STRATEGIES[strategy])
    together = False

    def look(now: World) -> None:
        nonlocal together
        together |= ("EndpointSlice", "fraud") in now.objects and answering(now) == {OLD, NEW}

    world.watched = look
    world.settle()
    assert (world.replicas(), answering(world)) == ({NEW: 3}, {NEW})
    assert verdicts(world)[NEW] == "Promoted"
    assert together == (strategy in {"Canary", "RollingUpdate"})


def test_who_goes_back_goes_to_what_was_good_and_not_to_what_came_before():
    """The last entry but one of the history was taken, whatever had become of it."""
    bad = {"2.0.0", "3.0.0"}
    world = updated(2, canary({"setWeight": 50}), fate=lambda v: ExitCode.SignatureInvalid if v in bad else None)
    world.settle()
    world.edit(model("3.0.0", 2, canary({"setWeight": 50})))
    world.watched = lambda now: None if answering(now) == {OLD} else pytest.fail(f"{answering(now)} answer")
    world.settle()
    assert verdicts(world) == {"1.0.0": "Promoted", "2.0.0": "Rejected", "3.0.0": "Rejected"}
    assert world.replicas() == {OLD: 2}


# ---------------------------------------------------------------------------------------------- once, and truly


def test_a_plan_that_two_operators_carry_out_is_carried_out_once():
    """Two executors could take the same plan, and each carried it out; so could one before and after a restart."""
    world = updated(4, canary({"setWeight": 25}, {"setWeight": 50}))
    for _ in range(200):
        plan = world.plan()
        world.execute(plan)
        for again in (*plan.apply, *plan.scale):
            assert world._act(again) == 0, f"{again} is another write the second time"
        acted = world.deployments_act() + world.kubelets_act() + world.services_act()
        if not acted and verdicts(world).get(NEW) == "Promoted" and world.replicas() == {NEW: 4}:
            break
        world.wait(1)
    assert [each["attempt"] for each in world.status["revisions"] if each["version"] == NEW] == [1]
    assert world.reasons().count("RevisionPromoted") == 2, "the first version, and the second one"


def test_a_delivery_that_does_not_get_on_is_not_reported_as_done():
    """Steps that failed were passed over, and the whole was reported as completed."""
    world = updated(2, canary({"setWeight": 50}), fate=lambda v: ExitCode.StorageUnreachable if v == NEW else None)
    world.settle()
    told = world.status["rollout"]
    assert (told["phase"], told["step"], told["weight"]) == ("Progressing", 0, 0)
    world.wait(700)
    world.settle()
    told, ready = world.status["rollout"], world.condition("Ready")
    assert (told["phase"], told["step"], told["weight"]) == ("Stalled", 0, 0)
    assert (ready["status"], ready["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert verdicts(world)[NEW] == "Failed"
    assert (world.replicas()[OLD], answering(world)) == (2, {OLD})


def test_a_write_that_is_refused_is_told_and_moves_no_step():
    """A decision that failed was counted like one that had been carried out."""
    world = updated(2, canary({"setWeight": 50}, {"pause": {}}))
    world.pass_once()
    before = world.status["rollout"]
    children = tuple(world.objects[key] for key in sorted(world.objects))
    observed = world.reconciler.observe(world.model, children, (), {}, world.config, world.now)
    refused = ObjectRef("apps/v1", "Deployment", "team-a", f"fraud-{before['candidate']}")
    told = world.reconciler.on_error(
        observed, Failure(refused, 403, "Forbidden", "exceeded quota: pods", terminal=True)
    )
    assert told is not None
    assert told.status is not None
    assert (told.apply, told.scale, told.delete) == ((), (), ())
    kept = told.status["rollout"]
    assert (kept["candidate"], kept["step"], kept["stable"]) == (before["candidate"], before["step"], before["stable"])
    ready = next(each for each in told.status["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ChildRejected")
    assert "exceeded quota: pods" in ready["message"]


# ---------------------------------------------------------------------------------------------- health


def judged(*metrics: Raw) -> dict[str, Any]:
    return canary({"setWeight": 50}, {"analysis": {"minSamples": 10, "metrics": list(metrics)}})


HEALTH: Raw = {"name": "health", "builtin": "health-score", "min": 0.9, "interval": "10s", "count": 5}
ERRORS: Raw = {"name": "errors", "builtin": "error-rate", "interval": "10s", "count": 3}


def analysis(world: World) -> Raw:
    found: Raw = world.status["rollout"]["analysis"]
    return found


def looks(world: World, seconds: float) -> None:
    """Time passes up to the next look, and everybody acts."""
    world.wait(seconds)
    world.settle()


def test_one_bad_look_takes_nothing_back():
    """One failed probe out of five was enough, whatever the threshold of failures said."""
    world = updated(2, judged({**HEALTH, "failureLimit": 1}))
    world.patience = 0.0
    world.settle()
    assert analysis(world)["verdict"] == "Running"
    world.break_version(NEW, 1)
    world.wait(11)
    world.pass_once()  # the look falls into the moment in which the pod is not ready
    assert analysis(world)["metrics"][0]["failures"] == 1
    world.kubelets_act()
    for _ in range(8):
        looks(world, 11)
    assert verdicts(world)[NEW] == "Promoted"


def test_looks_are_taken_at_the_interval_that_was_declared():
    """The interval of health checks and the number of failures in a row could be set, and neither was ever read."""
    world = updated(2, judged({**HEALTH, "interval": "20s", "count": 3, "failureLimit": 0}))
    world.patience = 0.0
    world.settle()
    counted = [analysis(world)["metrics"][0]["successes"]]
    for _ in range(4):
        looks(world, 10)
        if "canary" in world.status and world.status["rollout"]["step"] == 1:
            counted.append(analysis(world)["metrics"][0]["successes"])
    assert counted == [1, 1, 2, 2]
    assert world.status["rollout"]["step"] != 1, "the third look of three has passed it"


def test_who_cannot_be_asked_is_not_counted_as_bad():
    """A question that got no answer scored 0.0, below every threshold, and took a good version back."""
    world = updated(2, judged(ERRORS))
    world.patience = 0.0
    world.settle()
    candidate = world.status["rollout"]["candidate"]
    for _ in range(40):
        down = Measurement(at=world.now + timedelta(milliseconds=1), error="no answer within 10 s")
        world.outside = Outside(measured={candidate: {"errors": down}})
        world.wait(31)
        world.pass_once()
    assert world.status["rollout"]["phase"] == "Paused"
    ready = world.condition("Ready")
    assert ready["reason"] == "AnalysisError"
    assert "no answer within 10 s" in ready["message"]
    assert answering(world) == {OLD, NEW}, "nothing is taken back"
    for _ in range(20):
        good = Contrast({"good": 1000.0, "bad": 0.0}, {"good": 1000.0, "bad": 0.0})
        answer = Measurement(at=world.now + timedelta(milliseconds=1), contrast=good)
        world.outside = Outside(measured={candidate: {"errors": answer}})
        world.wait(31)
        world.settle()
    assert verdicts(world)[NEW] == "Promoted", "it goes on by itself when there are answers again"


def test_pods_that_start_slowly_are_waited_for():
    """Fewer ready pods than wanted counted as ill, so that every start was a failure until it had ended."""
    world = updated(4, judged(HEALTH))
    for _ in range(30):
        world.pass_once()
        world.deployments_act()
        world.services_act()
        world.wait(10)
    assert verdicts(world)[NEW] == "Pending"
    assert world.condition("Ready")["reason"] == "Progressing"
    assert answering(world) == {OLD}
