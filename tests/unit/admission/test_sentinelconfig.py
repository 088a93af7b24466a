"""What the second gate refuses of settings, and what it points out: the words are those of the status."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_operator.core.admission import sentinelconfig
from sentinel_operator.core.admission.verdict import Requester, Review, Verdict
from tests.unit.crdgen.rule_cases import accepted

SETTINGS = next(each for each in accepted() if each["kind"] == "SentinelConfig")


def judged(spec: Any, *, before: dict[str, Any] | None = None, name: str = "default") -> Verdict:
    new = {**SETTINGS, "metadata": {"name": name}, "spec": spec}
    old = None if before is None else {**SETTINGS, "spec": before}
    return sentinelconfig.validate(Review(kind="SentinelConfig", new=new, old=old, requester=Requester("ada")))


def test_valid_settings_pass_without_a_word():
    assert judged(SETTINGS["spec"], before=SETTINGS["spec"]) == Verdict()
    assert judged({}) == Verdict()
    assert judged(None) == Verdict()


def test_every_error_is_told_at_once_at_its_field():
    verdict = judged({"clusterId": 5, "monitoringNamespace": "A"}, name="second")
    assert [error.field for error in verdict.errors] == [
        "metadata.name",
        "spec.clusterId",
        "spec.monitoringNamespace",
    ]


@pytest.mark.parametrize(
    ("image", "said"),
    [("fetch", "every SentryModel gets"), ("modelServer", "every SentryModel without spec.runtime.image gets")],
)
@pytest.mark.parametrize("before", [None, {}, {"clusterId": 5}], ids=["none", "the defaults", "nothing valid"])
def test_an_image_that_makes_new_revisions_everywhere_is_pointed_out(image, said, before):
    verdict = judged({"images": {image: "registry.test/image:2"}}, before=before)
    assert verdict.errors == ()
    assert verdict.warnings == (f"spec.images.{image} is another one: {said} a new revision",)


@pytest.mark.parametrize(
    ("budget", "before", "said"),
    [
        (
            {"maxConcurrentRollouts": 0},
            {},
            "spec.changeBudget.maxConcurrentRollouts is 0: no rollout begins until it is raised; those under way go on",
        ),
        ({"maxConcurrentRollouts": 0}, {"maxConcurrentRollouts": 0}, ""),
        (
            {"perGpuClass": 0},
            {"perGpuClass": 1},
            (
                "spec.changeBudget.perGpuClass is 0: no rollout that asks for GPUs begins until it is raised; "
                "those under way go on"
            ),
        ),
        (
            {"maxConcurrentRollouts": 2, "perNamespace": 3},
            {},
            "spec.changeBudget.perNamespace has no effect: spec.changeBudget.maxConcurrentRollouts is 2",
        ),
        ({"maxConcurrentRollouts": 2, "perNamespace": 2}, {}, ""),
    ],
    ids=["a freeze", "a freeze that was there", "a freeze of GPUs", "never reached", "reached"],
)
def test_limits_that_stop_everything_or_nothing_are_pointed_out(budget, before, said):
    verdict = judged({"changeBudget": budget}, before={"changeBudget": before})
    assert verdict == Verdict(warnings=(said,) if said else ())


def test_limits_are_numbers_from_0_on():
    verdict = judged({"changeBudget": {"maxConcurrentRollouts": -1, "perNamespace": 1.5, "perGpuClass": 10001}})
    assert [error.field for error in verdict.errors] == [
        "spec.changeBudget.maxConcurrentRollouts",
        "spec.changeBudget.perNamespace",
        "spec.changeBudget.perGpuClass",
    ]


def test_a_token_that_everybody_on_the_way_can_read_is_pointed_out():
    bridge = {"endpoint": "brain.test:50051", "tls": {"plaintext": True}}
    token = {"tokenSecretRef": {"name": "sentinel-bridge-token", "key": "token"}}
    said = "spec.bridge.tls.plaintext is true: the token goes over the network for everybody on the way to read"
    config = {"clusterId": "a", "bridge": {**bridge, **token}}
    assert judged(config, before={"clusterId": "a"}) == Verdict(warnings=(said,))
    assert judged(config, before=config) == Verdict()
    assert judged({"clusterId": "a", "bridge": bridge}, before={}) == Verdict()


def test_a_bridge_needs_the_name_of_the_cluster():
    verdict = judged({"bridge": {"endpoint": "brain.test:50051"}}, before=None)
    assert [str(error) for error in verdict.errors] == [
        "spec.clusterId: must be set for a bridge: a brain may have more clusters than this one"
    ]
