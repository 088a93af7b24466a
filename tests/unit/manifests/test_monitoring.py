"""Dashboards and alerts ask for metrics that somebody here exposes, in queries that Prometheus understands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sentinel_agent.expose import dcgm, node
from sentinel_agent.gpu.health import Overall
from sentinel_agent.gpu.reading import Library
from sentinel_agent.gpu.throttle import reasons
from sentinel_agent.ledger import Totals
from sentinel_agent.observed import Picture
from sentinel_operator.api.serving import ServingConfig
from tests.support.exposed import exposed
from sentinel_workloads.model_server.observe.metrics import Metrics as ServerMetrics

MANIFESTS = Path(__file__).parents[3] / "manifests"
DASHBOARDS = sorted((MANIFESTS / "components" / "dashboards").glob("*.json"))
GPU_ALERTS = MANIFESTS / "agent" / "monitoring" / "rules.yaml"
_INTERVAL = {"$__rate_interval": "5m", "$node": ".*", "$namespace": ".*", "$model": ".*"}


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Every name under which the operator, the model server and the agent expose something."""
    overall = Overall(status="True", reason="GPUsHealthy", message="")
    picture = Picture(library=Library(state="Working"), gpus=(), overall=overall, totals=Totals())
    return exposed() | {family.name for each in (node, dcgm) for family in each.families(picture, "n1")}


def asked(query: str) -> set[str]:
    """Gives the metrics of a query, which Prometheus must understand."""
    for variable, value in _INTERVAL.items():
        query = query.replace(variable, value)
    promql_parser.parse(query)
    return set(re.findall(r"\b(?:sentinel|DCGM)_[A-Za-z_]+", query))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_for_what_is_exposed(path: Path, known: set[str]) -> None:
    board: dict[str, Any] = json.loads(path.read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(queries) > 10
    for query in queries:
        assert asked(query), query
        assert asked(query) <= known, query
    variables = [each["query"]["query"] for each in board["templating"]["list"] if each["type"] == "query"]
    assert {name for each in variables for name in re.findall(r"\bsentinel_[a-z_]+", each)} <= known
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]}) == len(board["panels"])


def test_alerts_about_gpus_ask_for_what_is_exposed(known: set[str]) -> None:
    (group,) = yaml.safe_load(GPU_ALERTS.read_text())["spec"]["groups"]
    assert len(group["rules"]) > 5
    for rule in group["rules"]:
        assert asked(rule["expr"]) <= known, rule["alert"]
        assert asked(rule["expr"])
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description"} <= rule["annotations"].keys()


def test_the_alert_about_slowing_down_is_about_the_hardwares_own_reasons() -> None:
    (group,) = yaml.safe_load(GPU_ALERTS.read_text())["spec"]["groups"]
    query = next(rule["expr"] for rule in group["rules"] if rule["alert"] == "SentinelGPUIsSlowedDown")
    pattern = re.compile(re.search(r'reason=~"([^"]+)"', query)[1])  # type: ignore[index]
    every = set(reasons(0xFFFF))
    assert {each for each in every if pattern.fullmatch(each)} == {each for each in every if each.startswith("Hw")}
    assert any(each.startswith("Hw") for each in every)


def test_the_six_metrics_of_the_official_dashboard_are_there_as_far_as_nvml_tells(known: set[str]) -> None:
    told = {"GPU_TEMP", "POWER_USAGE", "SM_CLOCK", "GPU_UTIL", "FB_USED"}
    assert {f"DCGM_FI_DEV_{name}" for name in told} <= known
    assert "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE" not in known, "NVML does not tell it: better absent than wrong"
