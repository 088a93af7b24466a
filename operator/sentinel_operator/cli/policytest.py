"""`policy test`: what policies would make of plans, without a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from rich.text import Text

from sentinel_operator.api.kinds import ACTION_PLAN, ACTION_POLICY, SENTINEL_CONFIG
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.cli.grid import clean, console, show
from sentinel_operator.cli.offline import read
from sentinel_operator.cli.outcome import Exit, Failed, Invalid
from sentinel_operator.cli.trace import tree
from sentinel_operator.core.actionplan.admissible import faults
from sentinel_operator.core.actionplan.judging import judged
from sentinel_operator.core.actionplan.observe import observe
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.reading import needed
from sentinel_operator.core.actionplan.stamps import REQUESTED_BY, requester, written
from sentinel_operator.core.actionplan.surroundings import Surroundings
from sentinel_operator.core.actionplan.view import TargetView
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.core.policy.policy import Policy


def policy_test(files: Sequence[str]) -> Exit:
    """Prints what each plan would come to, and by which rules."""
    objects = [raw for file in files for raw in read(file)]
    policies = tuple(Policy.of(each) for each in objects if each.get("kind") == ACTION_POLICY.kind)
    wrong = [f"{each.name}: {each.problem}" for each in policies if each.spec is None]
    if wrong:
        raise Invalid("\n".join(wrong))
    plans = [each for each in objects if each.get("kind") == ACTION_PLAN.kind]
    if not plans:
        raise Failed("there is no ActionPlan in these files", Exit.USAGE)
    config = next((each for each in objects if each.get("kind") == SENTINEL_CONFIG.kind), {})
    spec = SentinelConfigSpec.model_validate(config.get("spec") or {})
    rejected = False
    for plan in plans:
        observed = _observed(plan, policies, objects, spec)
        lines, passes = _told(observed)
        show(list(lines), console())
        rejected = rejected or not passes
    return Exit.NOT_READY if rejected else Exit.OK


def _observed(
    plan: Manifest, policies: tuple[Policy, ...], objects: Iterable[Manifest], config: SentinelConfigSpec
) -> Observed:
    metadata = {"namespace": "default", "uid": "", "generation": 1, **plan["metadata"]}
    raw = {**plan, "metadata": metadata}
    if requester(raw) is None:
        source = str((plan.get("spec") or {}).get("source") or "")
        notes = {**(metadata.get("annotations") or {}), REQUESTED_BY: written(Identity(username=source))}
        raw = {**raw, "metadata": {**metadata, "annotations": notes}}
    fresh = {key: value for key, value in raw.items() if key != "status"}
    known = {_place(each): each for each in objects}
    targets = {
        each.key: TargetView(raw=_whole(known.get((each.key.kind, each.key.namespace, each.key.name))))
        for each in needed(fresh)
    }
    nodes = {name: each for (kind, _, name), each in known.items() if kind == "Node"}
    around = Surroundings(policies=policies, targets=targets, nodes=nodes)
    return observe(fresh, config, _moment(plan), Outside(plan=around))


def _moment(plan: Manifest) -> datetime:
    """A recorded plan is judged as of when it was; another one as of now."""
    status, metadata = plan.get("status") or {}, plan["metadata"]
    told = (status.get("judgedAt"), metadata.get("creationTimestamp"))
    moments = (parse_time(str(each)) for each in told if each)
    return next((each for each in moments if each is not None), datetime.now(UTC))


def _place(raw: Manifest) -> tuple[str, str, str]:
    metadata = raw.get("metadata") or {}
    kind = str(raw.get("kind"))
    return kind, "" if kind == "Node" else str(metadata.get("namespace") or "default"), str(metadata.get("name"))


def _whole(raw: Manifest | None) -> Manifest | None:
    return {**raw, "metadata": {"uid": "", "generation": 1, **raw["metadata"]}} if raw is not None else None


def _told(observed: Observed) -> tuple[Iterator[Text], bool]:
    if observed.spec is None:
        return iter([Text(f"{observed.name}: Rejected: {clean(observed.problem)}")]), False
    wrong = [said for _, said in faults(observed)]
    if wrong:
        return iter([Text(f"{observed.name}: Rejected: {clean('; '.join(wrong))}")]), False
    verdict = judged(observed)
    reason = f": {clean(verdict.reason)}" if verdict.reason else ""
    lines = [Text(f"{observed.name}: {verdict.effect}{reason}"), *tree(verdict.recorded())]
    return iter(lines), verdict.effect != "Reject"
