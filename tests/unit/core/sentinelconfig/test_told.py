"""What an administrator reads of the settings: in force, refused by field, or not looked at yet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.plan import Manifest, Plan
from sentinel_operator.core.sentinelconfig.reconciler import SentinelConfigReconciler
from tests.support.builders import NOW, UID

DEFAULTS = SentinelConfigSpec()
OTHER = {"monitoringNamespace": "monitoring"}


def settings(spec: dict[str, Any] | None = None, *, name: str = "default", generation: int = 1) -> Manifest:
    metadata = {"name": name, "uid": UID, "generation": generation}
    return {"apiVersion": "sentinel.dev/v1alpha1", "kind": "SentinelConfig", "metadata": metadata, "spec": spec or {}}


def passed(raw: Manifest, *, in_force: SentinelConfigSpec = DEFAULTS, later: float = 0.0) -> Plan:
    reconciler = SentinelConfigReconciler()
    observed = reconciler.observe(raw, (), (), {}, in_force, NOW + timedelta(seconds=later))
    return reconciler.plan(observed)


def summary(plan: Plan) -> tuple[str, str, str, str]:
    assert plan.status is not None
    ready, reconciling, stalled = plan.status["conditions"]
    assert [each["type"] for each in (ready, reconciling, stalled)] == ["Ready", "Reconciling", "Stalled"]
    return ready["reason"], ready["status"], reconciling["status"], stalled["status"]


def test_settings_by_which_the_operator_works_are_in_force():
    plan = passed(settings())
    assert summary(plan) == ("InForce", "True", "False", "False")
    assert plan.status is not None
    assert plan.status["observedGeneration"] == 1
    assert [(each.type, each.reason) for each in plan.events] == [("Normal", "InForce")]


def test_settings_still_on_their_way_are_not_called_anything():
    plan = passed(settings(OTHER, generation=2))
    assert (plan.status, plan.events) == (None, ())
    assert plan.requeue_after
    arrived = passed(settings(OTHER, generation=2), in_force=SentinelConfigSpec.model_validate(OTHER))
    assert summary(arrived)[0] == "InForce"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            settings({"monitoringNamespace": "No_Name"}),
            "spec.monitoringNamespace: must be the name of a namespace, or empty for none",
        ),
        (settings({"images": {"fetch": 5}}), "spec.images.fetch: must be of type string"),
        (settings({"images": {"fetch": ""}, "clusterId": 1}), "spec.clusterId: must be of type string; spec.images.fe"),
        (settings(name="second"), "metadata.name: must be default: there is one SentinelConfig"),
    ],
    ids=["no name", "no image", "two things", "a second one"],
)
def test_settings_that_cannot_be_are_refused_at_the_field_and_the_last_ones_stay(raw, said):
    plan = passed(raw)
    assert summary(plan) == ("InvalidSpec", "False", "False", "True")
    assert plan.status is not None
    message = plan.status["conditions"][0]["message"]
    assert message.startswith(said)
    assert "the last valid settings stay in force" in message
    assert [(each.type, each.reason, each.message) for each in plan.events] == [("Warning", "InvalidSpec", message)]


def test_time_alone_changes_nothing_and_nothing_is_told_twice():
    for raw in (settings(), settings(name="second")):
        first = passed(raw)
        again = passed({**raw, "status": first.status}, later=3600)
        assert (again.status, again.events) == (first.status, ())


def test_a_correction_flips_the_conditions_once():
    bad = passed(settings({"clusterId": 1}))
    good = passed({**settings(generation=2), "status": bad.status}, later=60)
    assert summary(good) == ("InForce", "True", "False", "False")
    assert good.status is not None
    before, after = (plan.status["conditions"] for plan in (bad, good) if plan.status)
    moved = [now["type"] for was, now in zip(before, after, strict=True) if _moved(was, now)]
    assert moved == ["Ready", "Stalled"]
    assert [each.reason for each in good.events] == ["InForce"]


def test_a_status_that_cannot_be_read_is_written_anew():
    plan = passed({**settings(), "status": {"observedGeneration": 1, "conditions": "none of it"}})
    assert summary(plan)[0] == "InForce"


def test_settings_that_are_being_deleted_are_left_alone():
    raw = settings()
    raw["metadata"]["deletionTimestamp"] = "2025-03-01T12:00:00Z"
    assert passed(raw) == Plan()


def _moved(was: Manifest, now: Manifest) -> bool:
    return bool(was["lastTransitionTime"] != now["lastTransitionTime"])
