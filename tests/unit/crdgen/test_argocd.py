"""What Argo CD shows of our kinds and does to them, by its own test files, in the Lua that it runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaRuntime, lua_type

from sentinel_operator.core.admission import scanjob, sentrymodel

ARGOCD = Path(__file__).parents[3] / "manifests" / "argocd"
KINDS = ARGOCD / "resource_customizations" / "sentinel.dev"
READERS = {"SentryModel": sentrymodel.read, "ScanJob": scanjob.read}
HEALTHS = [
    (kind, case)
    for kind in sorted(KINDS.iterdir())
    for case in yaml.safe_load((kind / "health_test.yaml").read_text())["tests"]
]
ACTIONS = sorted(KINDS.glob("*/actions"))
TESTS: dict[Path, dict[str, list[dict[str, Any]]]] = {
    folder: yaml.safe_load((folder / "action_test.yaml").read_text()) for folder in ACTIONS
}
RESTARTED = re.compile(r"kubectl\.kubernetes\.io/restartedAt: '?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)'?")


def run(script: str, manifest: dict[str, Any]) -> Any:
    """Runs a script as Argo CD does: with the base and table libraries, and of `os` the time and the date alone."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.execute("os = {time = os.time, date = os.date}")
    lua.execute("string, math, io, debug, package, require, python = nil")
    lua.globals().obj = lua.table_from(manifest, recursive=True)
    return plain(lua.execute(script))


def plain(value: Any) -> Any:
    """Gives a Lua table as what it was before."""
    if lua_type(value) != "table":
        return value
    items = {key: plain(each) for key, each in value.items()}
    return list(items.values()) if items and set(items) == set(range(1, len(items) + 1)) else items


def loaded(folder: Path, path: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((folder / path).read_text())
    return document


@pytest.mark.parametrize(
    ("kind", "case"), HEALTHS, ids=lambda each: each.name if isinstance(each, Path) else each["inputPath"]
)
def test_each_state_has_its_health(kind: Path, case: dict[str, Any]):
    assert run((kind / "health.lua").read_text(), loaded(kind, case["inputPath"])) == case["healthStatus"]


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        ("SentryModel", {"Healthy", "Progressing", "Suspended", "Degraded"}),
        ("ScanJob", {"Healthy", "Progressing", "Suspended", "Degraded"}),
        ("SentinelConfig", {"Healthy", "Progressing", "Degraded"}),
        ("ActionPlan", {"Healthy", "Progressing", "Suspended", "Degraded"}),
        ("ActionPolicy", {"Healthy", "Progressing", "Degraded"}),
    ],
)
def test_every_input_is_tested_and_every_health_comes_up(kind: str, statuses: set[str]):
    cases = [case for folder, case in HEALTHS if folder.name == kind]
    assert {case["inputPath"] for case in cases} == {
        f"testdata/{path.name}" for path in (KINDS / kind).glob("testdata/*")
    }
    assert {case["healthStatus"]["status"] for case in cases} == statuses


def cases(sort: str) -> list[Any]:
    """Gives every case of a sort with its folder."""
    return [
        pytest.param(folder, case, id=f"{folder.parent.name}-{case.get('action', 'discovery')}-{case['inputPath']}")
        for folder, tests in TESTS.items()
        for case in tests[sort]
    ]


@pytest.mark.parametrize(("folder", "case"), cases("discoveryTests"))
def test_each_state_offers_what_can_be_done(folder: Path, case: dict[str, Any]):
    found = run((folder / "discovery.lua").read_text(), loaded(folder, case["inputPath"]))
    assert [{"name": name, **found[name]} for name in sorted(found)] == case["result"]


@pytest.mark.parametrize(("folder", "case"), cases("actionTests"))
def test_each_action_changes_the_spec_and_nothing_else(folder: Path, case: dict[str, Any]):
    before, after = loaded(folder, case["inputPath"]), loaded(folder, case["expectedOutputPath"])
    made = run((folder / case["action"] / "action.lua").read_text(), before)
    assert without_time(made) == without_time(after)
    assert READERS[folder.parent.name](made)[1] == ()


def without_time(manifest: dict[str, Any]) -> str:
    return RESTARTED.sub("restarted", yaml.safe_dump(manifest))


@pytest.mark.parametrize("folder", ACTIONS, ids=lambda each: each.parent.name)
def test_every_action_is_offered_and_tested(folder: Path):
    scripts = {path.parent.name for path in folder.glob("*/action.lua")}
    assert scripts == {case["action"] for case in TESTS[folder]["actionTests"]}
    assert all(scripts == {each["name"] for each in case["result"]} for case in TESTS[folder]["discoveryTests"])


def test_the_component_ships_every_script():
    (generator,) = loaded(ARGOCD, "kustomization.yaml")["configMapGenerator"]
    files = dict(file.split("=") for file in generator["files"])
    healths = {
        f"resource.customizations.health.sentinel.dev_{kind.name}": kind / "health.lua" for kind in KINDS.iterdir()
    }
    assert {key: ARGOCD / path for key, path in files.items() if ".health." in key} == healths
    shipped = {key.rpartition("_")[2]: path for key, path in files.items() if ".actions." in key}
    assert set(shipped) == {folder.parent.name for folder in ACTIONS}
    for folder in ACTIONS:
        actions = loaded(ARGOCD, shipped[folder.parent.name])
        assert actions["discovery.lua"] == (folder / "discovery.lua").read_text()
        scripts = {each["name"]: each["action.lua"] for each in actions["definitions"]}
        assert scripts == {path.parent.name: path.read_text() for path in folder.glob("*/action.lua")}
