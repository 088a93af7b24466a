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
from tests.support.builders import ModelBuilder
from tests.support.simulation import World

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


def world_of(case: dict[str, Any]) -> World:
    return World.of(
        ModelBuilder(case["model"]),
        config=SentinelConfigSpec.model_validate(case.get("config", {})),
        config_maps={each["metadata"]["name"]: each for each in case.get("configMaps", ())},
    )


def as_document(world: World) -> dict[str, Any]:
    """The first plan, and what is applied besides when everything has come to rest."""
    plan = world.plan()
    world.settle()
    first = {step.ref for step in plan.apply}
    return {
        "apply": [step.manifest for step in plan.apply],
        "scale": [f"{step.ref} to {step.replicas}" for step in plan.scale],
        "delete": [str(step.ref) for step in plan.delete],
        "events": [f"{event.type} {event.reason}: {event.message}" for event in plan.events],
        "requeueAfter": plan.requeue_after,
        "status": plan.status,
        "applyLater": [step.manifest for step in world.plan().apply if step.ref not in first],
    }


@pytest.mark.parametrize("name", CASES)
def test_first_pass(name):
    case = yaml.safe_load((DATA / name / "input.yaml").read_text())
    found = as_document(world_of(case))
    expected = DATA / name / "expected.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(yaml.dump(found, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True))
    assert found == yaml.safe_load(expected.read_text())
