"""Analysis: what is measured of a new revision beside the one that serves, and what of it counts as bad."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import Duration, Label, OpenObject, Text, between, list_atomic, list_map
from sentinel_operator.api.pod import SecretKeyRef
from sentinel_operator.api.rules import CEL, exactly_one, matching, rules

Verdict = Literal["Running", "Pass", "Fail", "Inconclusive", "Error"]
Builtin = Literal[
    "error-rate",
    "latency-p99",
    "label-agreement",
    "score-psi",
    "uncertain-share",
    "flagged-share",
    "gpu-health",
    "health-score",
]
URL = r"^https?://[^\s/?#@]+([/?][^\s#]*)?$"
HEADER = r"^[A-Za-z0-9-]+$"
HOP_BY_HOP = ("connection", "content-length", "host", "transfer-encoding", "upgrade")
Timeout = Annotated[str, Field(max_length=32), between("1s", "1m")]
Delay = Annotated[str, Field(max_length=32), between("0s", "24h")]
Url = Annotated[
    str,
    Field(max_length=1024),
    rules(matching(URL, "must be http:// or https://, a host, and no credentials or fragment")),
]
Condition = Annotated[str, Field(min_length=1, max_length=512)]


# ---------------------------------------------------------------------------------------------- where it is measured


class Authorization(Model):
    """The Authorization header: the scheme and a value from a Secret of the object's namespace, which must bear the
    label sentinel.dev/analysis: "true"; a Role must let the operator read it."""

    scheme: Literal["Bearer", "Basic"] = "Bearer"
    secret_ref: SecretKeyRef
    """Bearer: the token. Basic: `user:password`."""


class Prometheus(Model):
    """An instant query of the Prometheus HTTP API; it must give exactly one number.
    {{name}}, {{namespace}}, {{canary}} and {{stable}} (the revisions) are put in."""

    address: Url
    """Without /api/v1, for example http://prometheus.monitoring:9090."""
    query: Annotated[str, Field(min_length=1, max_length=2048)]
    baseline_query: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """The same of the stable revision; it becomes `baseline`."""
    timeout: Timeout = "10s"
    authorization: Authorization | None = None


class Header(Model):
    """A header of the request: exactly one of value and secretRef, of which the same holds as of the Secret of a
    prometheus metric's authorization."""

    name: Annotated[
        str, Field(min_length=1, max_length=64), rules(matching(HEADER, "must hold only letters, digits and '-'"))
    ]
    value: Annotated[str, Field(max_length=1024), rules(matching(r"^[ -~]*$", "must be printable ASCII"))] | None = None
    secret_ref: SecretKeyRef | None = None


HEADER_RULES = rules(
    exactly_one("value", "secretRef"),
    CEL(
        rule=f"!self.name.matches('^(?i:{'|'.join(HOP_BY_HOP)})$')",
        message="must not be a header of the connection itself",
        holds=lambda value: value.name.lower() not in HOP_BY_HOP,
        field="name",
    ),
)


class Web(Model):
    """A GET whose answer is JSON; {{name}}, {{namespace}}, {{canary}} and {{stable}} are put into the URL.
    Redirects are not followed."""

    url: Url
    json_path: Annotated[
        str,
        Field(min_length=1, max_length=256),
        rules(matching(r"^[$].*$", "must be a JSONPath (RFC 9535) that starts with '$'")),
    ] = "$"
    """Must find exactly one number or boolean (true is 1)."""
    headers: Annotated[list[Annotated[Header, HEADER_RULES]], Field(max_length=8), list_map("name")] | None = None
    timeout: Timeout = "10s"


class JobTemplate(Model):
    """What the Job is made of, as in a CronJob's jobTemplate."""

    spec: OpenObject
    """As in a Job: a template, and how long it may take and is kept. The revisions and the object reach it as the
    environment variables CANARY, STABLE, NAMESPACE and NAME. It is tried once, with no more rights than the model's
    own pods."""


class JobMetric(Model):
    """A Job: `result` is 1 when it completes and 0 when it ends with another exit code. One that cannot be made or
    started, is killed or takes too long is an error."""

    template: JobTemplate


# ---------------------------------------------------------------------------------------------- one metric


class MetricCheck(Model):
    """One thing that is measured again and again, and its bound. A built-in without a bound has a sensible one."""

    name: Label
    builtin: Builtin | None = None
    """Measured by the operator itself, from the pods' own metrics, their state and their GPUs."""
    prometheus: Prometheus | None = None
    web: Web | None = None
    job: JobMetric | None = None
    max: float | None = None
    """Good up to this value."""
    min: float | None = None
    """Good from this value on."""
    max_ratio: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Good up to this many times the stable revision's value."""
    success_condition: Condition | None = None
    """In CEL, over `result`, `baseline`, `isNaN(x)` and `isInf(x)`, for example `result <= baseline + 0.01`."""
    failure_condition: Condition | None = None
    """Where neither it nor successCondition holds, the measurement is inconclusive."""
    interval: Duration = "30s"
    count: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Measurements that decide; errors do not count. Absent: 5, or 1 Job."""
    failure_limit: Annotated[int, Field(ge=0, le=999)] | None = None
    """Failed measurements that are borne; one more is a failure. Absent: 2, or what count allows."""
    inconclusive_limit: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Inconclusive measurements that are borne; one more pauses the rollout. Absent: 2; or 9 in a row for what pods
    count, for sparse traffic is counted on until it suffices."""
    consecutive_error_limit: Annotated[int, Field(ge=0, le=100)] = 4
    """Errors in a row that are borne; one more pauses the rollout. An error is never counted as bad."""
    initial_delay: Delay = "0s"
    min_samples: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Overrides the analysis' minSamples."""
    dry_run: bool = False
    """Measured and shown, but decides nothing."""


METRIC_RULES = rules(
    exactly_one("builtin", "prometheus", "web", "job"),
    CEL(
        rule="!(has(self.successCondition) || has(self.failureCondition)) "
        "|| !(has(self.max) || has(self.min) || has(self.maxRatio))",
        message="set either max, min and maxRatio or successCondition and failureCondition",
        holds=lambda value: not (_has_condition(value) and _has_limit(value)),
    ),
    CEL(
        rule="!(has(self.prometheus) || has(self.web)) || has(self.successCondition) || has(self.failureCondition) "
        "|| has(self.max) || has(self.min) || has(self.maxRatio)",
        message="set max, min, maxRatio, successCondition or failureCondition: without a bound nothing is good or bad",
        holds=lambda value: not (value.prometheus or value.web) or _has_condition(value) or _has_limit(value),
    ),
    CEL(
        rule="!has(self.maxRatio) || (has(self.builtin) && !(self.builtin in ['gpu-health', 'health-score', "
        "'label-agreement', 'score-psi'])) || (has(self.prometheus) && has(self.prometheus.baselineQuery))",
        message="needs a value of the stable revision: a built-in share or latency, or prometheus.baselineQuery",
        holds=lambda value: value.max_ratio is None or _has_baseline(value),
        field="maxRatio",
    ),
    CEL(
        rule="!has(self.max) || !has(self.min) || self.min <= self.max",
        message="must be at most max",
        holds=lambda value: value.max is None or value.min is None or value.min <= value.max,
        field="min",
    ),
    CEL(
        rule="!has(self.failureLimit) || self.failureLimit < (has(self.count) ? self.count : has(self.job) ? 1 : 5)",
        message="must be smaller than count, or it could never fail",
        holds=lambda value: value.failure_limit is None or value.failure_limit < measurements(value),
        field="failureLimit",
    ),
)
DEFAULT_COUNT = 5
DEFAULT_FAILURE_LIMIT = 2
DEFAULT_INCONCLUSIVE_LIMIT = 2
DEFAULT_COUNTED_INCONCLUSIVE_LIMIT = 9
OBSERVED: frozenset[str] = frozenset({"gpu-health", "health-score"})
"""Built-ins that are read off at once; the others are counted by the pods over a time."""
WITHOUT_BASELINE: frozenset[str] = frozenset({"gpu-health", "health-score", "label-agreement", "score-psi"})
"""Built-ins of one revision, or that are a comparison themselves."""


def _has_condition(value: MetricCheck) -> bool:
    return value.success_condition is not None or value.failure_condition is not None


def _has_limit(value: MetricCheck) -> bool:
    return value.max is not None or value.min is not None or value.max_ratio is not None


def _has_baseline(value: MetricCheck) -> bool:
    if value.builtin is not None:
        return value.builtin not in WITHOUT_BASELINE
    return value.prometheus is not None and value.prometheus.baseline_query is not None


def measurements(check: MetricCheck) -> int:
    """Gives how many measurements decide."""
    return check.count if check.count is not None else 1 if check.job else DEFAULT_COUNT


def borne_failures(check: MetricCheck) -> int:
    """Gives how many failed measurements are borne: never so many that the metric could not fail."""
    if check.failure_limit is not None:
        return check.failure_limit
    return min(DEFAULT_FAILURE_LIMIT, measurements(check) - 1)


def borne_inconclusives(check: MetricCheck) -> int:
    """Gives how many inconclusive measurements are borne."""
    if check.inconclusive_limit is not None:
        return check.inconclusive_limit
    is_counted = check.builtin is not None and check.builtin not in OBSERVED
    return DEFAULT_COUNTED_INCONCLUSIVE_LIMIT if is_counted else DEFAULT_INCONCLUSIVE_LIMIT


class AnalysisSpec(Model):
    """Compares the new revision with the stable one over the same time and traffic, not with the past."""

    metrics: (
        Annotated[
            list[Annotated[MetricCheck, METRIC_RULES]],
            Field(min_length=1, max_length=16),
            list_map("name"),
        ]
        | None
    ) = None
    """Absent: error-rate, latency-p99 and health-score."""
    sequential: bool = False
    """Built-in shares and latencies add up over the analysis and are tested as they come: it fails as soon as the
    evidence suffices, and passes as soon as it suffices. Otherwise each interval is judged alone."""
    false_abort_rate: Annotated[float, Field(ge=0.0001, le=0.2)] = 0.05
    """Sequential: how often at most a revision that keeps the bounds is failed, over all metrics and all looks."""
    min_samples: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """Requests (or rows) of each revision below which a built-in says nothing."""


# ---------------------------------------------------------------------------------------------- status


class Evidence(Model):
    """What a sequential metric has counted so far: one number a bin for each revision."""

    bins: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=64), list_atomic()]
    canary: Annotated[list[float], Field(max_length=64), list_atomic()]
    stable: Annotated[list[float], Field(max_length=64), list_atomic()]
    paired: bool = False
    """Both revisions were given the same inputs: `canary` counts answers that were the same and that were not."""


class MetricStatus(Model):
    """Where one metric stands."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    verdict: Verdict = "Running"
    message: Text = ""
    value: float | None = None
    """The newest measurement of the new revision; at first, that of the step before."""
    baseline: float | None = None
    """The same of the stable revision."""
    measured_at: str = ""
    successes: int = 0
    failures: int = 0
    inconclusives: int = 0
    errors: int = 0
    consecutive_errors: int = 0
    evidence: Evidence | None = None


class AnalysisStatus(Model):
    """Where an analysis stands. It is all that an operator needs to go on with it after a restart."""

    key: Annotated[str, Field(max_length=256)] = ""
    """Which run of an analysis it is."""
    started_at: str = ""
    verdict: Verdict = "Running"
    message: Text = ""
    metrics: Annotated[list[MetricStatus], Field(max_length=16), list_map("name")] | None = None
