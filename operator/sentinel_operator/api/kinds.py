"""The registry of kinds: everything of a CRD that is not a field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentinel_operator.api.actionplan import CHANGEABLE as PLAN_CHANGEABLE
from sentinel_operator.api.actionplan import ActionPlanSpec
from sentinel_operator.api.actionpolicy import ActionPolicySpec, ActionPolicyStatus
from sentinel_operator.api.actionstatus import ActionPlanStatus
from sentinel_operator.api.base import GROUP, VERSION, Model
from sentinel_operator.api.nodetelemetry import GPU_HEALTHY, NodeTelemetrySpec, NodeTelemetryStatus
from sentinel_operator.api.rules import CEL
from sentinel_operator.api.scanjob import CHANGEABLE, ScanJobSpec
from sentinel_operator.api.scanstatus import ScanJobStatus
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec, SentinelConfigStatus
from sentinel_operator.api.sentrymodel import SentryModelSpec, SentryModelStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of `kubectl get`; priority 1 shows with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Paths of the scale subresource."""

    spec_replicas: str = ".spec.replicas"
    status_replicas: str = ".status.replicas"
    selector: str = ".status.selector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of ours."""

    kind: str
    plural: str
    spec: type[Model]
    status: type[Model]
    short_names: tuple[str, ...]
    columns: tuple[Column, ...]
    scale: Scale | None = None
    namespaced: bool = True
    rules: tuple[CEL, ...] = ()
    changeable: frozenset[str] | None = None
    """Members of the spec that may be changed after the creation; None: all of them."""
    remembers_requester: bool = False
    """Who created an object is written on it, as the API server verified it."""
    approvable: bool = False
    """Who created and who approved an object is written on it, and whoever says something of approval must be allowed
    the verb `approve`."""
    expires: bool = False
    """Its objects are deleted by the operator some time after they are finished."""
    declared: bool = True
    """By people, who get rights to write it; what an agent reports, nobody declares."""
    group: str = GROUP
    version: str = VERSION

    @property
    def api_version(self) -> str:
        """Gives group and version as objects carry them."""
        return f"{self.group}/{self.version}"


def _condition(type_: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].{field}'


READY_COLUMNS = (
    Column(name="Ready", path=_condition("Ready", "status")),
    Column(name="Reason", path=_condition("Ready", "reason")),
)
NAME_RULE = CEL(
    rule="self.metadata.name.size() <= 52",
    message="must have at most 52 characters, so that the names of the children fit",
    field="metadata.name",
    holds=lambda raw: len(raw["metadata"]["name"]) <= 52,
)
LABEL_RULE = CEL(
    rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message="must start with a letter and hold only lower-case letters, digits and '-', as the name of a Service",
    field="metadata.name",
    holds=lambda raw: re.fullmatch("^[a-z]([-a-z0-9]*[a-z0-9])?$", raw["metadata"]["name"]) is not None,
)
HOST_RULE = CEL(
    rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    message="must hold only lower-case letters, digits and '-', as the host names of its pods",
    field="metadata.name",
    holds=lambda raw: re.fullmatch("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", raw["metadata"]["name"]) is not None,
)
DEFAULT_RULE = CEL(
    rule="self.metadata.name == 'default'",
    message="must be default: there is one SentinelConfig",
    field="metadata.name",
    holds=lambda raw: raw["metadata"]["name"] == "default",
)

CLUSTER_RULE = CEL(
    rule="!has(self.spec.bridge) || self.spec.clusterId != ''",
    message="must be set for a bridge: a brain may have more clusters than this one",
    field="spec.clusterId",
    holds=lambda raw: not _is_bridged(raw.get("spec")) or bool(raw["spec"].get("clusterId")),
)


def _is_bridged(spec: Any) -> bool:
    """Tells whether a bridge is declared; not where the schema has something to say first."""
    return isinstance(spec, Mapping) and spec.get("bridge") is not None


def _node_of(raw: Mapping[str, Any]) -> str | None:
    """Gives the node's name; None where the schema has something to say first."""
    spec = raw.get("spec")
    name = spec.get("nodeName") if isinstance(spec, Mapping) else None
    return name if isinstance(name, str) else None


NODE_RULE = CEL(
    rule="self.spec.nodeName == self.metadata.name",
    message="must be the name of the object: there is one NodeTelemetry a node",
    field="spec.nodeName",
    holds=lambda raw: _node_of(raw) in {None, raw["metadata"]["name"]},
)

SENTRY_MODEL = Kind(
    kind="SentryModel",
    plural="sentrymodels",
    spec=SentryModelSpec,
    status=SentryModelStatus,
    short_names=("sm",),
    columns=(
        *READY_COLUMNS,
        Column(name="Version", path=".status.stable.version"),
        Column(name="Replicas", path=".status.readyReplicas", type="integer"),
        Column(name="Phase", path=".status.phase"),
        Column(name="Revision", path=".status.stable.revision", priority=1),
        Column(name="Signed-By", path=".status.verification.authority", priority=1),
        Column(name="URL", path=".status.url", priority=1),
        Column(name="Message", path=_condition("Ready", "message"), priority=1),
    ),
    scale=Scale(),
    rules=(NAME_RULE, LABEL_RULE),
)
SENTINEL_CONFIG = Kind(
    kind="SentinelConfig",
    plural="sentinelconfigs",
    spec=SentinelConfigSpec,
    status=SentinelConfigStatus,
    short_names=("scfg",),  # `sc` is StorageClass
    columns=(
        *READY_COLUMNS,
        Column(name="Cluster", path=".spec.clusterId"),
        Column(name="Model-Server", path=".spec.images.modelServer", priority=1),
    ),
    namespaced=False,
    rules=(DEFAULT_RULE, CLUSTER_RULE),
)
NODE_TELEMETRY = Kind(
    kind="NodeTelemetry",
    plural="nodetelemetries",
    spec=NodeTelemetrySpec,
    status=NodeTelemetryStatus,
    short_names=("nt",),
    columns=(
        *READY_COLUMNS,
        Column(name="GPUs", path=".status.gpus", type="integer"),
        Column(name="GPU-Healthy", path=_condition(GPU_HEALTHY, "status")),
        Column(name="Seen", path=".status.observedAt", type="date"),
        Column(name="Driver", path=".status.nvml.driverVersion", priority=1),
        Column(name="Message", path=_condition(GPU_HEALTHY, "message"), priority=1),
    ),
    namespaced=False,
    rules=(NODE_RULE,),
    declared=False,
)
SCAN_JOB = Kind(
    kind="ScanJob",
    plural="scanjobs",
    spec=ScanJobSpec,
    status=ScanJobStatus,
    short_names=("sj",),
    columns=(
        *READY_COLUMNS,
        Column(name="Phase", path=".status.phase"),
        Column(name="Progress", path=".status.progress.percent"),
        Column(name="Verdict", path=".status.verdict"),
        Column(name="Quarantined", path=".status.progress.quarantined", type="integer"),
        Column(name="Scanned", path=".status.progress.scanned", type="integer", priority=1),
        Column(name="Failed", path=".status.progress.failed", type="integer", priority=1),
        Column(name="Per-Minute", path=".status.progress.documentsPerMinute", type="integer", priority=1),
        Column(name="ETA-Seconds", path=".status.progress.etaSeconds", type="integer", priority=1),
        Column(name="Requested-By", path=".status.requestedBy", priority=1),
        Column(name="Report", path=".status.report.uri", priority=1),
        Column(name="Message", path=_condition("Ready", "message"), priority=1),
    ),
    rules=(NAME_RULE, HOST_RULE),
    changeable=CHANGEABLE,
    remembers_requester=True,
    expires=True,
)
ACTION_PLAN = Kind(
    kind="ActionPlan",
    plural="actionplans",
    spec=ActionPlanSpec,
    status=ActionPlanStatus,
    short_names=("ap",),
    columns=(
        *READY_COLUMNS,
        Column(name="State", path=".status.state"),
        Column(name="Done", path=".status.done", type="integer"),
        Column(name="Of", path=".status.total", type="integer"),
        Column(name="Source", path=".spec.source"),
        Column(name="Mode", path=".spec.mode", priority=1),
        Column(name="Requested-By", path=".status.requestedBy.username", priority=1),
        Column(name="Approved-By", path=".status.approval.by.username", priority=1),
        Column(name="Message", path=_condition("Ready", "message"), priority=1),
    ),
    rules=(NAME_RULE,),
    changeable=PLAN_CHANGEABLE,
    approvable=True,
    expires=True,
)
ACTION_POLICY = Kind(
    kind="ActionPolicy",
    plural="actionpolicies",
    spec=ActionPolicySpec,
    status=ActionPolicyStatus,
    short_names=("apol",),
    columns=(
        *READY_COLUMNS,
        Column(name="Mode", path=".spec.mode"),
        Column(name="Priority", path=".spec.priority", type="integer"),
        Column(name="Rules", path=".status.rules", type="integer"),
        Column(name="Held-By-API", path=".status.held", type="integer"),
        Column(name="Message", path=_condition("Ready", "message"), priority=1),
    ),
    namespaced=False,
    rules=(NAME_RULE,),
)
KINDS: tuple[Kind, ...] = (SENTRY_MODEL, SCAN_JOB, SENTINEL_CONFIG, NODE_TELEMETRY, ACTION_PLAN, ACTION_POLICY)
