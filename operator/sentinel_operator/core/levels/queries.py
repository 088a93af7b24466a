"""What a Prometheus is asked of a workload."""

from __future__ import annotations

from sentinel_operator.api.kinds import SENTRY_MODEL
from sentinel_operator.api.servicelevels import ServiceLevels
from sentinel_operator.core.analysis.exposition import FAULTS, REQUESTS, SECONDS
from sentinel_operator.core.levels.measured import Level
from sentinel_operator.core.targets import TargetKey

_OF_IT = 'namespace="{{namespace}}",model="{{name}}",traffic!="mirrored"'
_BAD = "|".join(("5..", *sorted(FAULTS)))
_ENOUGH = f"(sum(increase({REQUESTS}{{{_OF_IT}}}[{{{{window}}}}])) >= {{{{minRequests}}}})"
OWN: dict[Level, str] = {
    "p99LatencyMs": f"1000 * histogram_quantile(0.99, sum by (le) (rate({SECONDS}{{{_OF_IT}}}[{{{{window}}}}]))) "
    f"and {_ENOUGH}",
    "successRatePercent": f'100 * (1 - (sum(rate({REQUESTS}{{{_OF_IT},code=~"{_BAD}"}}[{{{{window}}}}])) or vector(0)) '
    f"/ sum(rate({REQUESTS}{{{_OF_IT}}}[{{{{window}}}}]))) and {_ENOUGH}",
}
"""By the model server's own metrics, as the PodMonitors of this project have them scraped."""


def query_for(level: Level, target: TargetKey, settings: ServiceLevels) -> str | None:
    """Gives what is asked, with everything put in; None where there is no query for that kind."""
    given = {
        "uptimePercent": settings.uptime_percent,
        "p99LatencyMs": settings.p99_latency_ms,
        "successRatePercent": settings.success_rate_percent,
    }[level]
    query = given or (OWN.get(level) if target.kind == SENTRY_MODEL.kind else None)
    if query is None:
        return None
    filled = {
        "name": target.name,
        "namespace": target.namespace,
        "kind": target.kind,
        "window": settings.window,
        "uptimeWindow": settings.uptime_window,
        "minRequests": str(settings.min_requests),
    }
    for word, text in filled.items():
        query = query.replace(f"{{{{{word}}}}}", text)
    return query


def over_which(level: Level, settings: ServiceLevels) -> str:
    """Gives the window that a level is measured over."""
    return settings.uptime_window if level == "uptimePercent" else settings.window
