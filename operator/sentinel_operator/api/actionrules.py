"""The bounds that an ActionPolicy can set. None of them is judged by anything that a plan claims."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sentinel_operator.api.actionplan import Moment, Source
from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import Duration, Quantity, Text, list_atomic, list_set
from sentinel_operator.api.rules import CEL, matching, rules

Missing = Literal["Reject", "Allow"]
Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
DAYS: tuple[Day, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Percentage = Annotated[float, Field(ge=0, le=100)]
TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
ClockTime = Annotated[str, Field(max_length=5), rules(matching(TIME, "must be a time of day from 00:00 to 23:59"))]


class CostCeiling(Model):
    """What a scaled workload may cost an hour, by the price table of SentinelConfig. A change that costs no more than
    before is never kept back."""

    max_cost_per_hour: Quantity
    currency: Annotated[str, Field(min_length=1, max_length=8)] = "USD"
    """That of the price table; another one is as a price that is missing."""
    missing: Missing = "Reject"
    """What becomes of a change whose price is not known."""


class RateLimit(Model):
    """How many changes are begun in any 60 seconds and any hour. 0 permits none. What is not done does not count."""

    max_per_minute: Count | None = None
    max_per_hour: Count | None = None
    scope: Literal["Workload", "Namespace", "Cluster", "Global"] = "Workload"
    """Counted together: those of one target; of one namespace (or of all Nodes); or all of this cluster, which is what
    Cluster and Global mean."""


RATE_LIMIT_RULES = rules(
    CEL(
        rule="has(self.maxPerMinute) || has(self.maxPerHour)",
        message="set maxPerMinute, maxPerHour or both",
        holds=lambda value: value.max_per_minute is not None or value.max_per_hour is not None,
    )
)


class ServiceLevelAgreement(Model):
    """Uptime below which nothing but a cure is allowed: a scale-up, a rollback, an abort."""

    min_uptime_percent: Percentage
    missing: Missing = "Allow"
    """What becomes of a change while the uptime is not known."""


class ServiceLevel(Model):
    """Latency and success beyond which nothing but a cure is allowed: a scale-up, a rollback, an abort."""

    max_p99_latency_ms: Annotated[float, Field(gt=0, le=3_600_000)] | None = None
    min_success_rate_percent: Percentage | None = None
    missing: Missing = "Allow"


SERVICE_LEVEL_RULES = rules(
    CEL(
        rule="has(self.maxP99LatencyMs) || has(self.minSuccessRatePercent)",
        message="set maxP99LatencyMs, minSuccessRatePercent or both",
        holds=lambda value: value.max_p99_latency_ms is not None or value.min_success_rate_percent is not None,
    )
)


class Quota(Model):
    """How large a workload may be scaled: replicas, and what they all ask for together."""

    max_replicas: Count | None = None
    max_cpu_cores: Quantity | None = None
    max_memory_gi: Quantity | None = None
    max_gpus: Count | None = None


QUOTA_RULES = rules(
    CEL(
        rule="has(self.maxReplicas) || has(self.maxCpuCores) || has(self.maxMemoryGi) || has(self.maxGpus)",
        message="set at least one of maxReplicas, maxCpuCores, maxMemoryGi and maxGpus",
        holds=lambda value: any(
            each is not None for each in (value.max_replicas, value.max_cpu_cores, value.max_memory_gi, value.max_gpus)
        ),
    )
)


class FreezeWindow(Model):
    """From one moment to another."""

    start: Moment
    end: Moment
    reason: Annotated[str, Field(max_length=256)] = ""


class RecurringFreeze(Model):
    """Again and again, by the clocks of a place."""

    days: Annotated[list[Day], Field(min_length=1, max_length=7), list_set()] | None = None
    """Absent: every day."""
    from_: Annotated[ClockTime, Field(alias="from")] = "00:00"
    to: ClockTime = "00:00"
    """A time up to `from` is one of the next day: 22:00 to 06:00 of a Friday ends on Saturday."""
    timezone: Annotated[
        str,
        Field(min_length=1, max_length=64),
        rules(matching(r"^[A-Za-z][A-Za-z0-9_+/-]*$", "must be the name of a time zone, such as Europe/Berlin")),
    ] = "UTC"
    reason: Annotated[str, Field(max_length=256)] = ""


class ChangeFreeze(Model):
    """When nothing is changed."""

    windows: Annotated[list[FreezeWindow], Field(min_length=1, max_length=32), list_atomic()] | None = None
    recurring: Annotated[list[RecurringFreeze], Field(min_length=1, max_length=16), list_atomic()] | None = None
    exempt_sources: Annotated[list[Source], Field(min_length=1, max_length=32), list_set()] | None = None
    """Users' names and names of sources, as verified by the API server."""


CHANGE_FREEZE_RULES = rules(
    CEL(
        rule="has(self.windows) || has(self.recurring)",
        message="set windows, recurring or both",
        holds=lambda value: value.windows is not None or value.recurring is not None,
    )
)


class BlastRadius(Model):
    """How much may be in change at once."""

    max_targets: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Of the plan and all others under way together."""
    max_percent_unavailable: Percentage | None = None
    """Of a workload's pods, or for a drain of the cluster's nodes: those that are not ready, and those that the change
    takes down at once."""
    min_healthy: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Pods of the workload, or nodes, that stay ready."""
    storm_cooldown: Duration | None = None
    """How long nothing is changed after a plan failed or was undone."""


BLAST_RADIUS_RULES = rules(
    CEL(
        rule="has(self.maxTargets) || has(self.maxPercentUnavailable) || has(self.minHealthy) "
        "|| has(self.stormCooldown)",
        message="set at least one of maxTargets, maxPercentUnavailable, minHealthy and stormCooldown",
        holds=lambda value: any(
            each is not None
            for each in (value.max_targets, value.max_percent_unavailable, value.min_healthy, value.storm_cooldown)
        ),
    )
)


class ApprovalRule(Model):
    """Waits for somebody with the right to `approve` actionplans."""

    approvers: Annotated[list[Source], Field(min_length=1, max_length=32), list_set()] | None = None
    """Users' names and names of sources; absent: anybody with the right."""
    allow_self: bool = False
    """Whoever created the plan may approve it."""


class CelRule(Model):
    """Must be true. An expression that has no answer counts as violated."""

    expression: Annotated[str, Field(min_length=1, max_length=1024)]
    """Over `decision` (as in the plan), `target` (as measured: replicas, ready, labels, costPerHour), `telemetry`
    (uptimePercent, p99LatencyMs, successRatePercent), `identity` (username, groups) and `plan` (targets, inFlight).
    With decision and identity alone the API server holds to it as well."""
    message: Text = ""
    """What to say to whoever broke it."""
