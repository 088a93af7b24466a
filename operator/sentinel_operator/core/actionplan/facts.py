"""What a plan's decisions are judged by: measured on the targets, verified of the people, and nothing claimed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sentinel_operator.api.actionplan import Decision
from sentinel_operator.api.fields import seconds
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.pods import leaves, on
from sentinel_operator.core.actionplan.view import TargetView, spec_of, status_of, wanted_replicas
from sentinel_operator.core.intstr import resolve
from sentinel_operator.core.levels.measured import Telemetry
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.facts import Approved, Facts, Identity, Requests, TargetFacts
from sentinel_operator.core.policy.matcher import sources_of
from sentinel_operator.core.policy.price import cost_per_hour, requests_of


def facts_of(observed: Observed, decision: Decision) -> Facts:
    """Gives what one decision is judged by."""
    around, key, who = observed.around, observed.key(decision), observed.requester or Identity(username="")
    ledger, safety = around.neighbours.ledger, decision.safety
    return Facts(
        decision=decision,
        namespace=key.namespace,
        who=who,
        sources=sources_of(who, around.policies),
        now=observed.now,
        target=_target(observed, decision),
        targets=len({observed.key(each) for each in observed.plan.decisions}),
        in_flight=len(around.neighbours.in_flight),
        begun=ledger.begun(key, observed.now),
        begun_in_own_window=ledger.within(key, observed.now, seconds(safety.window)) if safety else 0,
        last_failure=around.neighbours.last_failure,
        approved=_approved(observed),
    )


def _approved(observed: Observed) -> Approved | None:
    stamp, said = observed.stamp, observed.plan.approval
    if stamp is None or said is None or said.decision != "Approve":
        return None
    return Approved(by=stamp.by, sources=sources_of(stamp.by, observed.around.policies))


def _target(observed: Observed, decision: Decision) -> TargetFacts:
    view = observed.view(decision)
    if view.raw is None:
        return TargetFacts(exists=False)
    labels = dict(view.raw["metadata"].get("labels") or {})
    if decision.target.kind == "Node":
        ready = [each for each in observed.around.nodes.values() if _takes_pods(each)]
        mine = any(each["metadata"]["name"] == decision.target.name for each in ready)
        return TargetFacts(
            labels=labels, replicas=len(observed.around.nodes), ready=len(ready), at_risk=1 if mine else 0
        )
    requests, telemetry = _requests(observed, view), view.telemetry or Telemetry()
    return TargetFacts(
        labels=labels,
        replicas=wanted_replicas(view.raw),
        ready=int(status_of(view.raw).get("readyReplicas") or 0),
        at_risk=_at_risk(decision, view),
        requests=requests,
        cost_per_replica_hour=_price(observed, view, requests),
        currency=observed.config.prices.currency if observed.config.prices is not None else "",
        uptime_percent=telemetry.uptime_percent,
        p99_latency_ms=telemetry.p99_latency_ms,
        success_rate_percent=telemetry.success_rate_percent,
        measured=telemetry.told,
    )


def _takes_pods(node: Manifest) -> bool:
    conditions = status_of(node).get("conditions") or ()
    ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
    return ready and not spec_of(node).get("unschedulable")


def _template(view: TargetView) -> Mapping[str, object] | None:
    """Gives the pods' spec: of a SentryModel that of the Deployment with the most pods."""
    holders = [view.raw] if view.raw is not None and "template" in spec_of(view.raw) else list(view.deployments)
    if not holders:
        return None
    largest = max(holders, key=lambda each: (wanted_replicas(each), str(each["metadata"]["name"])))
    found = (spec_of(largest).get("template") or {}).get("spec")
    return found if isinstance(found, Mapping) else None


def _requests(observed: Observed, view: TargetView) -> Requests | None:
    template = _template(view)
    return requests_of(template, observed.config.prices) if template is not None else None


def _price(observed: Observed, view: TargetView, requests: Requests | None) -> Decimal | None:
    """The dearest of the nodes that its pods are on; while it has none, of those that it selects by itself. A pod
    on a node without a price has none."""
    if requests is None:
        return None
    names = {str(spec_of(each)["nodeName"]) for each in view.pods if spec_of(each).get("nodeName")}
    labels = [
        (observed.around.nodes[name]["metadata"].get("labels") or {}) if name in observed.around.nodes else {}
        for name in sorted(names)
    ]
    selected = (_template(view) or {}).get("nodeSelector")
    prices = [
        cost_per_hour(requests, each, observed.config.prices)
        for each in labels or [selected if isinstance(selected, Mapping) else {}]
    ]
    known = [each for each in prices if each is not None]
    return max(known) if len(known) == len(prices) else None


def _at_risk(decision: Decision, view: TargetView) -> int:
    """How many pods are down at once because of the change; a SentryModel brings new ones up first."""
    raw = view.raw
    if raw is None:
        return 0
    match decision.verb:
        case "reschedule":
            return sum(map(leaves, on(str((decision.params or {}).get("node")), view.pods)))
        case "restart" | "rollback" if raw["kind"] == "Deployment":
            strategy = spec_of(raw).get("strategy") or {}
            if strategy.get("type") == "Recreate":
                return wanted_replicas(raw)
            unavailable = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%")
            return resolve(unavailable, of=wanted_replicas(raw), round_up=False)
        case "restart" | "rollback" if raw["kind"] == "StatefulSet":
            return min(1, wanted_replicas(raw))
        case _:
            return 0
