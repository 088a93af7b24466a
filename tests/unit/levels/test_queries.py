"""What a Prometheus is asked: as the administrator says, or by the names that our own servers really expose."""

from __future__ import annotations

import re

import pytest

from sentinel_operator.api.servicelevels import ServiceLevels
from sentinel_operator.core.levels.measured import LEVELS, Measured, Telemetry, lasted, plausible
from sentinel_operator.core.levels.queries import OWN, query_for
from sentinel_operator.core.targets import TargetKey
from tests.support.exposed import exposed

MODEL, WEB = TargetKey("SentryModel", "models", "topics"), TargetKey("Deployment", "shop", "web")
SOURCE = {"prometheus": {"address": "http://p:9090"}}


def test_the_default_queries_ask_for_what_there_is():
    for level, query in OWN.items():
        names = set(re.findall(r"sentinel_\w+", query))
        assert names, level
        assert names <= exposed(), level
        assert query.count("(") == query.count(")")
        assert query.count("{{") == query.count("}}")


def test_a_model_is_asked_about_by_its_own_metrics_and_others_are_not():
    settings = ServiceLevels.model_validate({**SOURCE, "window": "7m", "minRequests": 9})
    for level in OWN:
        query = query_for(level, MODEL, settings)
        assert query is not None
        assert 'namespace="models",model="topics",traffic!="mirrored"' in query
        assert ("[7m]" in query, ">= 9)" in query, "{{" in query) == (True, True, False)
        assert query_for(level, WEB, settings) is None
    assert query_for("uptimePercent", MODEL, settings) is None


def test_whatever_is_written_is_put_in():
    words = "{{kind}}/{{namespace}}/{{name}} {{window}} {{uptimeWindow}} {{minRequests}} {{other}}"
    fields = {"uptimePercent": f"u {words}", "p99LatencyMs": f"p {words}", "successRatePercent": f"s {words}"}
    settings = ServiceLevels.model_validate({**SOURCE, **fields})
    filled = "Deployment/shop/web 5m 24h 50 {{other}}"
    assert query_for("uptimePercent", WEB, settings) == f"u {filled}"
    assert query_for("p99LatencyMs", WEB, settings) == f"p {filled}"
    assert query_for("successRatePercent", WEB, settings) == f"s {filled}"


@pytest.mark.parametrize(
    ("level", "value", "can_be"),
    [
        ("uptimePercent", 100.0, True), ("uptimePercent", 100.1, False), ("successRatePercent", -0.1, False),
        ("p99LatencyMs", 1e6, True), ("p99LatencyMs", -1.0, False), ("p99LatencyMs", float("inf"), False),
        ("successRatePercent", float("nan"), False),
    ],
)  # fmt: skip
def test_what_cannot_be_is_not_believed(level, value, can_be):
    assert plausible(level, value) is can_be


def test_telemetry_gathers_what_is_known_and_why_the_rest_is_not():
    found = Telemetry.of({"p99LatencyMs": Measured(value=3.0, told="so"), "uptimePercent": Measured(told="not known")})
    assert (found.p99_latency_ms, found.uptime_percent, found.success_rate_percent) == (3.0, None, None)
    assert found.told == {"p99LatencyMs": "so", "uptimePercent": "not known"}
    assert set(found.told) <= LEVELS


def test_times_are_written_as_people_read_them():
    from datetime import timedelta

    times = {12: "12s", 250: "4m10s", 12_000: "3h20m", -5: "0s"}
    assert {seconds: lasted(timedelta(seconds=seconds)) for seconds in times} == times
