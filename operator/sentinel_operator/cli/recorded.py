"""Plans and policies of files, as they are judged without a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from sentinel_operator.api.kinds import ACTION_PLAN, ACTION_POLICY, SENTINEL_CONFIG
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.cli.offline import read
from sentinel_operator.cli.outcome import Exit, Failed, Invalid
from sentinel_operator.core.actionplan.observe import observe
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.reading import needed
from sentinel_operator.core.actionplan.stamps import REQUESTED_BY, requester, written
from sentinel_operator.core.actionplan.surroundings import Surroundings
from sentinel_operator.core.actionplan.view import TargetView
from sentinel_operator.core.admission.errors import explain
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.core.policy.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the files hold."""

    policies: tuple[Policy, ...]
    plans: tuple[Observed, ...]
    """Each as of when it was judged, with its targets as far as the files hold them."""
    files: tuple[str, ...]
    """Where each of the plans stands."""


def recorded(files: Sequence[str]) -> Recorded:
    """Reads the files; raises Failed where there is no plan, or a policy or the settings cannot be read."""
    placed = [(file, raw) for file in files for raw in read(file)]
    for file, raw in placed:
        if not isinstance((raw.get("metadata") or {}).get("name"), str):
            raise Invalid(f"{file}: {raw['kind'].lower()}: metadata.name: Required value")
    objects = [raw for _, raw in placed]
    read_policies = [(file, Policy.of(raw)) for file, raw in placed if raw.get("kind") == ACTION_POLICY.kind]
    wrong = [f"{file}: {each.name}: {each.problem}" for file, each in read_policies if each.spec is None]
    if wrong:
        raise Invalid("\n".join(wrong))
    plans = [(file, raw) for file, raw in placed if raw.get("kind") == ACTION_PLAN.kind]
    if not plans:
        raise Failed("there is no ActionPlan in these files", Exit.USAGE)
    config, policies = _config(placed), tuple(each for _, each in read_policies)
    return Recorded(
        policies=policies,
        plans=tuple(_observed(raw, policies, objects, config) for _, raw in plans),
        files=tuple(file for file, _ in plans),
    )


def _config(placed: Iterable[tuple[str, Manifest]]) -> SentinelConfigSpec:
    file, found = next(((file, raw) for file, raw in placed if raw.get("kind") == SENTINEL_CONFIG.kind), ("", {}))
    try:
        return SentinelConfigSpec.model_validate(found.get("spec") or {})
    except ValidationError as error:
        raise Invalid("\n".join(f"{file}: {each}" for each in explain(error))) from error


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
