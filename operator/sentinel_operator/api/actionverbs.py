"""What can be done to what, and what each verb takes: the table that the CRD, admission and the executor share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from sentinel_operator.api.rules import CEL, REQUIRED, rules

Verb = Literal["scale", "reschedule", "rollback", "restart", "drain", "promote", "abort", "pause"]

API_VERSIONS: Mapping[str, str] = {
    "SentryModel": "sentinel.dev/v1alpha1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "Node": "v1",
}
_WORKLOADS = ("SentryModel", "Deployment", "StatefulSet")
KINDS_OF: Mapping[str, tuple[str, ...]] = {
    "scale": _WORKLOADS,
    "reschedule": _WORKLOADS,
    "rollback": _WORKLOADS,
    "restart": _WORKLOADS,
    "drain": ("Node",),
    "promote": ("SentryModel",),
    "abort": ("SentryModel",),
    "pause": ("SentryModel", "Deployment"),
}
PARAMS_OF: Mapping[str, tuple[str, ...]] = {
    "scale": ("replicas",),
    "reschedule": ("node",),
    "rollback": ("revision",),
    "restart": (),
    "drain": (),
    "promote": ("revision", "step", "full"),
    "abort": ("revision",),
    "pause": ("revision",),
}
REQUIRED_OF: Mapping[str, tuple[str, ...]] = {"scale": ("replicas",), "reschedule": ("node",)}
MAX_REPLICAS = 10_000
_DIGITS = r"^[0-9]{1,5}$"
_STEP = r"^[0-9]{1,2}$"
_PREVIOUS = "previous"


def whole_number(value: int | str) -> int:
    """Gives the number that a parameter holds, as a number or as its digits; raises ValueError for anything else."""
    if isinstance(value, bool) or (isinstance(value, str) and re.fullmatch(_DIGITS, value) is None):
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _table(rows: Mapping[str, tuple[str, ...]]) -> str:
    inner = ", ".join(f"'{key}': [{', '.join(repr(value) for value in values)}]" for key, values in rows.items())
    return "{" + inner + "}"


def _number(params: Any, name: str, pattern: str, most: int) -> bool:
    value = (params or {}).get(name)
    if value is None:
        return True
    if isinstance(value, int):
        return 0 <= value <= most
    return re.fullmatch(pattern, value) is not None and int(value) <= most


def _number_rule(name: str, pattern: str, most: int, message: str) -> CEL:
    value = f"self.params['{name}']"
    # In CEL a map with the key of another verb is refused by the rule about keys; here only the value matters.
    return CEL(
        rule=f"!has(self.params) || !('{name}' in self.params) || (type({value}) == int ? "
        f"{value} >= 0 && {value} <= {most} : {value}.matches(r'{pattern}') && int({value}) <= {most})",
        message=message,
        holds=lambda decision: _number(decision.params, name, pattern, most),
        field="params",
    )


TARGET_RULES = rules(
    CEL(
        rule=f"self.apiVersion == {{{', '.join(f'{kind!r}: {version!r}' for kind, version in API_VERSIONS.items())}}}"
        "[self.kind]",
        message="must be sentinel.dev/v1alpha1 for a SentryModel, apps/v1 for a Deployment or StatefulSet, v1 for a "
        "Node",
        holds=lambda target: API_VERSIONS.get(target.kind) == target.api_version,
        field="apiVersion",
    ),
    CEL(
        rule="self.kind != 'Node' || !has(self.namespace)",
        message="must be left out: a Node has none",
        holds=lambda target: target.kind != "Node" or target.namespace is None,
        field="namespace",
    ),
)
DECISION_RULES = rules(
    CEL(
        rule=f"self.target.kind in {_table(KINDS_OF)}[self.verb]",
        message="must be a kind that the verb applies to: drain to a Node, promote and abort to a SentryModel, pause "
        "to a SentryModel or Deployment, the others to a SentryModel, Deployment or StatefulSet",
        holds=lambda decision: decision.target.kind in KINDS_OF[decision.verb],
        field="target",
    ),
    CEL(
        rule=f"!has(self.params) || self.params.all(name, name in {_table(PARAMS_OF)}[self.verb])",
        message="must hold only what the verb takes: replicas (scale), node (reschedule), revision (rollback, promote, "
        "abort, pause), step or full (promote); anything else belongs into spec.evidence",
        holds=lambda decision: set(decision.params or ()) <= set(PARAMS_OF[decision.verb]),
        field="params",
    ),
    CEL(
        rule="(self.verb != 'scale' || (has(self.params) && 'replicas' in self.params)) && "
        "(self.verb != 'reschedule' || (has(self.params) && 'node' in self.params))",
        message="must hold replicas for scale and node for reschedule",
        holds=lambda decision: set(REQUIRED_OF.get(decision.verb, ())) <= set(decision.params or ()),
        field="params",
        reason=REQUIRED,
    ),
    _number_rule("replicas", _DIGITS, MAX_REPLICAS, f"must hold replicas from 0 to {MAX_REPLICAS}, or their digits"),
    _number_rule("step", _STEP, 64, "must hold a step from 0 to 64, or its digits"),
    CEL(
        rule="!has(self.params) || !('full' in self.params) || string(self.params['full']) in ['true', 'false']",
        message="must hold full as 'true' or 'false'",
        holds=lambda decision: str((decision.params or {}).get("full", "true")) in {"true", "false"},
        field="params",
    ),
)


def previous(revision: int | str | None) -> bool:
    """Tells whether a rollback goes to the revision before this one, whichever that is."""
    return revision in (None, _PREVIOUS)
