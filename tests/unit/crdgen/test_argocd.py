"""The health that Argo CD shows, by its own test files, in the Lua that it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaRuntime

ARGOCD = Path(__file__).parents[3] / "manifests" / "argocd"
SENTRY_MODEL = ARGOCD / "resource_customizations" / "sentinel.dev" / "SentryModel"
CASES: list[dict[str, Any]] = yaml.safe_load((SENTRY_MODEL / "health_test.yaml").read_text())["tests"]


def health(manifest: dict[str, Any]) -> dict[str, str]:
    """Runs health.lua as Argo CD does: with the base and table libraries, and nothing else."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.execute("string, math, io, os, debug, package, require, python = nil")
    lua.globals().obj = lua.table_from(manifest, recursive=True)
    return dict(lua.execute((SENTRY_MODEL / "health.lua").read_text()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["inputPath"])
def test_each_state_has_its_health(case: dict[str, Any]):
    assert health(yaml.safe_load((SENTRY_MODEL / case["inputPath"]).read_text())) == case["healthStatus"]


def test_every_input_is_tested_and_every_health_comes_up():
    assert {case["inputPath"] for case in CASES} == {
        f"testdata/{path.name}" for path in SENTRY_MODEL.glob("testdata/*")
    }
    assert {case["healthStatus"]["status"] for case in CASES} == {"Healthy", "Progressing", "Suspended", "Degraded"}


def test_the_component_ships_the_script():
    (generator,) = yaml.safe_load((ARGOCD / "kustomization.yaml").read_text())["configMapGenerator"]
    ((key, path),) = [file.split("=") for file in generator["files"]]
    assert key == "resource.customizations.health.sentinel.dev_SentryModel"
    assert ARGOCD / path == SENTRY_MODEL / "health.lua"
