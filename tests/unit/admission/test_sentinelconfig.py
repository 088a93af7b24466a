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
