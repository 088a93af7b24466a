"""Where the webhook is off, the reconciler refuses what it would have refused, in the same words, and makes nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sentinel_operator.api.kinds import SENTRY_MODEL
from sentinel_operator.core.admission import sentrymodel
from sentinel_operator.core.admission.verdict import Requester, Review
from tests.support.builders import UID, ModelBuilder
from tests.support.simulation import World
from tests.unit.admission.refused import REFUSED
from tests.unit.core.sentrymodel.scenes import summary
from tests.unit.crdgen.rule_cases import occurrences, refused

BEYOND_SCHEMA = [pytest.param(each.document, id=str(each)) for each in REFUSED]
BY_SCHEMA = [
    pytest.param(document, id=f"{field}-{number}")
    for occurrence in occurrences()
    if occurrence.kind is SENTRY_MODEL
    for number, (document, field) in enumerate(refused(occurrence))
]


def stored(document: dict[str, Any]) -> ModelBuilder:
    """Gives the object as it would lie in the API server that nobody's webhook asked."""
    raw = copy.deepcopy(document)
    raw["metadata"] |= {"namespace": "team-a", "uid": UID, "generation": 1}
    return ModelBuilder(raw)


@pytest.mark.parametrize("document", [*BEYOND_SCHEMA, *BY_SCHEMA])
def test_what_admission_refuses_is_an_invalid_spec(document):
    review = Review(kind=SENTRY_MODEL.kind, new=document, old=None, requester=Requester("ada"))
    verdict = sentrymodel.validate(review)
    assert verdict.errors
    world = World.of(stored(document))
    world.pass_once()
    assert summary(world) == ("InvalidSpec", "False", "False", "True")
    assert world.condition("Ready")["message"] == verdict.message
    assert world.objects == {}
