"""How service levels are measured: what the SLA and SLO rules of ActionPolicies judge by."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sentinel_operator.api.analysis import Authorization, Url
from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import between
from sentinel_operator.api.rules import CEL, rules

LevelQuery = Annotated[str, Field(min_length=1, max_length=2048)]


class LevelSource(Model):
    """The Prometheus HTTP API. What does not answer in time is not known; nothing else is asked in its place."""

    address: Url
    """Without /api/v1, for example http://prometheus.monitoring:9090."""
    timeout: Annotated[str, Field(max_length=32), between("1s", "30s")] = "5s"
    authorization: Authorization | None = None
    """The Secret is read in the operator's own namespace."""


class ServiceLevels(Model):
    """How SLA and SLO rules come to know uptime, latency and success. Without prometheus, a SentryModel is measured by
    the operator itself, and nothing is known of other kinds. What no policy asks for is not measured.
    {{name}}, {{namespace}}, {{kind}}, {{window}}, {{uptimeWindow}} and {{minRequests}} are put into the queries; each
    must give exactly one number."""

    prometheus: LevelSource | None = None
    uptime_percent: LevelQuery | None = None
    """From 0 to 100. Absent: of a SentryModel, what the operator itself sees; of other kinds it is not known."""
    p99_latency_ms: LevelQuery | None = None
    """Absent: of a SentryModel, by the model server's own metrics; of other kinds it is not known."""
    success_rate_percent: LevelQuery | None = None
    """From 0 to 100. Absent: as for p99LatencyMs."""
    window: Annotated[str, Field(max_length=32), between("1m", "1h")] = "5m"
    """Over which latency and success are measured."""
    uptime_window: Annotated[str, Field(max_length=32), between("10m", "720h")] = "24h"
    """Over which uptime is measured."""
    min_requests: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """Requests within the window below which latency and success are not known. A query of one's own may ask for it by
    {{minRequests}}."""


SERVICE_LEVELS_RULES = rules(
    CEL(
        rule="has(self.prometheus) || !(has(self.uptimePercent) || has(self.p99LatencyMs) "
        "|| has(self.successRatePercent))",
        message="is needed by the queries: without it nobody is asked",
        holds=lambda value: (
            value.prometheus is not None
            or (value.uptime_percent is None and value.p99_latency_ms is None and value.success_rate_percent is None)
        ),
        field="prometheus",
    )
)
