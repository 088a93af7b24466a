"""By what an ActionPlan is known as a brain's: its name, its label, its annotations."""

from __future__ import annotations

import hashlib
import re

from sentinel_operator.api.fields import LABEL_VALUE
from sentinel_operator.core.actionplan.stamps import requester
from sentinel_operator.core.plan import Manifest

BRIDGE = "sentinel.dev/bridge"
"""Label of every plan that came over a bridge: the id of the cluster, or `true` where that is no label."""
CONTENT = "sentinel.dev/bridge-content"
"""Annotation: a digest of what the brain wants done, by which a planId that comes again is told from one reused."""
ACKNOWLEDGED_AT = "sentinel.dev/acknowledged-at"
"""Annotation: when the brain took notice of the outcome."""
_READABLE = 24
_DIGITS = 12


def name_of(plan_id: str) -> str:
    """Gives the one name of the plan's object: a brain that says a planId again says the same object again."""
    readable = re.sub(r"[^a-z0-9]+", "-", plan_id.lower())[:_READABLE].strip("-")
    digest = hashlib.sha256(plan_id.encode()).hexdigest()[:_DIGITS]
    return f"brain-{readable}-{digest}" if readable else f"brain-{digest}"


def label_of(cluster_id: str) -> str:
    """Gives the value of the label."""
    return cluster_id if cluster_id and re.fullmatch(LABEL_VALUE, cluster_id) and len(cluster_id) <= 63 else "true"


def is_bridged(plan: Manifest, user: str) -> bool:
    """Tells whether the plan came over the bridge that is this user: a label alone, anybody can write."""
    metadata = plan["metadata"]
    plan_id = str((plan.get("spec") or {}).get("planId") or "")
    made_by = requester(plan)
    return (
        BRIDGE in (metadata.get("labels") or {})
        and metadata["name"] == name_of(plan_id)
        and (made_by is None or not user or made_by.username == user)
    )


def is_acknowledged(plan: Manifest) -> bool:
    """Tells whether the brain knows what became of it."""
    return bool((plan["metadata"].get("annotations") or {}).get(ACKNOWLEDGED_AT))


def lean(plan: Manifest) -> Manifest:
    """Gives what has to be remembered of a plan: of one that the brain was told of, hardly anything."""
    if not is_acknowledged(plan):
        return plan
    metadata = {key: value for key, value in plan["metadata"].items() if key != "managedFields"}
    kept = {
        "metadata": metadata,
        "spec": {"planId": (plan.get("spec") or {}).get("planId", "")},
        "status": {"state": (plan.get("status") or {}).get("state", "")},
    }
    return {**{key: plan[key] for key in ("apiVersion", "kind") if key in plan}, **kept}


def awaits_acknowledgement(plan: Manifest) -> bool:
    """Tells whether a brain has yet to be told what became of the plan."""
    return BRIDGE in (plan["metadata"].get("labels") or {}) and not is_acknowledged(plan)
