"""A raw plan and all around it become one value."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pydantic import ValidationError

from sentinel_operator.api.actionplan import ActionPlanSpec
from sentinel_operator.api.actionstatus import ActionPlanStatus
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.actionplan.edits import without_nulls
from sentinel_operator.core.actionplan.history import kept, told
from sentinel_operator.core.actionplan.observed import MEASURED, Observed
from sentinel_operator.core.actionplan.stamps import approver, requester
from sentinel_operator.core.actionplan.surroundings import NOWHERE, Surroundings
from sentinel_operator.core.actionplan.view import TargetView
from sentinel_operator.core.admission.actionplan import read
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.parsing import ParsedSpecs, parse
from sentinel_operator.core.plan import Manifest

Specs = ParsedSpecs[ActionPlanSpec]


def observe(
    raw: Manifest, config: SentinelConfigSpec, now: datetime, outside: Outside, *, specs: Specs | None = None
) -> Observed:
    """Freezes what is known; a plan that does not validate is an observation, not an error."""
    metadata = raw["metadata"]
    parsed = specs.of(raw) if specs is not None else parse(raw, read)
    return Observed(
        uid=metadata["uid"],
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        generation=int(metadata.get("generation") or 0),
        created=parse_time(str(metadata.get("creationTimestamp") or "-")) or now,
        deleting=bool(metadata.get("deletionTimestamp")),
        spec=parsed.spec,
        problem=parsed.problem,
        requester=requester(raw),
        stamp=approver(raw),
        status=observe_status(raw),
        config=config,
        around=_cleaned(outside.plan or NOWHERE),
        now=now,
        measured=outside.measured.get(MEASURED, {}),
    )


def observe_status(raw: Manifest) -> ActionPlanStatus:
    """Reads what an earlier pass wrote; where it cannot be relied on, its history alone."""
    try:
        return ActionPlanStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        message = "the status cannot be read, so what was done is not known"
        return ActionPlanStatus(state="Failed", message=message, history=kept(raw), published=told(raw).number or None)


def _cleaned(around: Surroundings) -> Surroundings:
    return replace(
        around,
        targets={key: _clean_view(view) for key, view in around.targets.items()},
        nodes={name: without_nulls(node) for name, node in around.nodes.items()},
    )


def _clean_view(view: TargetView) -> TargetView:
    return replace(
        view,
        raw=without_nulls(view.raw) if view.raw is not None else None,
        revisions=tuple(without_nulls(each) for each in view.revisions),
        deployments=tuple(without_nulls(each) for each in view.deployments),
    )
