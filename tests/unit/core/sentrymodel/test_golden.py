"""What a first pass makes of a model, whole: tests/data/sentrymodel/<case>/{input,expected}.yaml.

`UPDATE_GOLDEN=1 pytest tests/unit/core/sentrymodel/test_golden.py` writes the expectations anew; read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.plan import Plan
from sentinel_operator.core.sentrymodel.reconciler import SentryModelReconciler
from tests.support.builders import NOW

DATA = Path(__file__).parents[3] / "data" / "sentrymodel"
CASES = sorted(path.name for path in DATA.iterdir())


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def first_pass(case: dict[str, Any]) -> Plan:
    reconciler, model = SentryModelReconciler(), case["model"]
    given = {each["metadata"]["name"]: each for each in case.get("configMaps", ())}
    references = {ref: given.get(ref.name) for ref in reconciler.references(model)}
    config = SentinelConfigSpec.model_validate(case.get("config", {}))
    return reconciler.plan(reconciler.observe(model, (), (), references, config, NOW))


def as_document(plan: Plan) -> dict[str, Any]:
    return {
        "apply": [step.manifest for step in plan.apply],
        "scale": [f"{step.ref} to {step.replicas}" for step in plan.scale],
        "delete": [str(step.ref) for step in plan.delete],
        "events": [f"{event.type} {event.reason}: {event.message}" for event in plan.events],
        "requeueAfter": plan.requeue_after,
        "status": plan.status,
    }


@pytest.mark.parametrize("name", CASES)
def test_first_pass(name):
    case = yaml.safe_load((DATA / name / "input.yaml").read_text())
    found = as_document(first_pass(case))
    expected = DATA / name / "expected.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(yaml.dump(found, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True))
    assert found == yaml.safe_load(expected.read_text())
