from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_operator.core.plan import Manifest
from tests.integration.cli.world import MODELS, World
from tests.support.builders import merged

pytestmark = pytest.mark.integration


async def test_what_the_cluster_has_is_compared_defaults_and_all(world: World, tmp_path: Path) -> None:
    await world.model("fraud", "canary-paused")
    live = await world.api.get(MODELS, world.namespace, "fraud")
    candidate = live["status"]["rollout"]["candidate"]

    same = await world.run("plan", _file(tmp_path, live, {}), "--against", "live")
    assert same.code == 0, same.err
    assert same.out.splitlines()[1] == f"Nothing changes: it stays {candidate}."
    assert "The rollout under way goes on: 6 steps, about " in same.out

    third = {"model": {"version": "3.0.0"}}
    other = await world.run("plan", _file(tmp_path, live, third), "--against", "live")
    assert other.code == 0, other.err
    assert "spec.model.version   2.0.0 → 3.0.0   makes another revision" in other.out
    assert f"The rollout of revision {candidate} ends: all requests go back to " in other.out
    assert await world.api.get(MODELS, world.namespace, "fraud") == live

    await world.status("fraud", "canary-aborted")
    barred = await world.run("plan", _file(tmp_path, live, {}), "--against", "live")
    assert barred.code == 1
    assert f"Nothing is delivered: RevisionAborted: revision {candidate}: " in barred.out


async def test_a_model_that_the_cluster_lacks_is_delivered_first(world: World, tmp_path: Path) -> None:
    live = await world.model("fraud", "canary-paused")
    fresh = _file(tmp_path, {**live, "metadata": {"name": "fresh"}}, {})
    done = await world.run("plan", fresh, "--against", "live")
    assert done.code == 0, done.err
    assert "the first: there is no such model to compare with." in done.out
    assert "First delivery: nothing serves yet. 1 step, about " in done.out


def _file(folder: Path, live: Manifest, changes: dict[str, Any]) -> str:
    """Writes the declaration of a model as a person has it in a file."""
    names = {"name": live["metadata"]["name"]}
    raw = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": names, "spec": live["spec"]}
    path = folder / "model.yaml"
    path.write_text(yaml.safe_dump(merged(raw, {"spec": changes})))
    return str(path)
