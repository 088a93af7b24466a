"""The first line: is it serving, what is it waiting for, what should I do."""

from __future__ import annotations

from sentinel_operator.api.kinds import SCAN_JOB, SENTRY_MODEL
from sentinel_operator.api.sentrymodel import RevisionStatus
from sentinel_operator.cli.advice import advice
from sentinel_operator.cli.scans import ADVICE as SCANS
from sentinel_operator.cli.scans import scan_first
from sentinel_operator.cli.standing import Standing, standing, status_of, wanted
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.sentrymodel.summary import SUSPENDED


def headline(raw: Manifest) -> str:
    """Answers the three questions in a line, from what the object itself says."""
    found = standing(raw)
    own = SCANS if raw["kind"] == SCAN_JOB.kind else None
    todo = advice(found.reason, ready=found.ready == "True", stalled=found.stalled, own=own)
    return f"{_first(raw, found)} {_waiting(found)} {todo}"


def _first(raw: Manifest, found: Standing) -> str:
    match raw["kind"]:
        case SENTRY_MODEL.kind:
            return _serving(raw)
        case SCAN_JOB.kind:
            return scan_first(raw)
        case _:
            return _in_force(found)


def _serving(raw: Manifest) -> str:
    status = status_of(raw)
    ready, asked = status.ready_replicas or 0, wanted(raw)
    revisions = [each for each in (status.stable, status.canary) if each is not None]
    if ready == 0:
        why = "none is asked for" if asked == 0 else f"0 of {pods(asked)} ready"
        return f"Not serving: {why}."
    answering = [each for each in revisions if each.ready_replicas > 0]
    if len(answering) > 1:
        told = " and ".join(f"{_name(each)} with {pods(each.ready_replicas)}" for each in answering)
        return f"Serving {told}; {asked} wanted."
    named = _name(answering[0]) if answering else "with"
    return f"Serving {named}{' with' if answering else ''} {ready} of {pods(asked)}."


def _name(revision: RevisionStatus) -> str:
    return revision.version or f"revision {revision.revision}"


def _in_force(found: Standing) -> str:
    return "In force." if found.ready == "True" else "Not in force."


def _waiting(found: Standing) -> str:
    message = found.message.rstrip(".")
    if found.reason == SUSPENDED:
        return f"Suspended: {message}."
    if found.ready == "True" and not found.reconciling:
        return "Waiting for nothing."
    if found.stalled:
        return f"Waiting for you: {found.reason}: {message}."
    return f"Waiting: {found.reason}: {message}." if message else f"Waiting: {found.reason}."


def pods(number: int) -> str:
    """Counts pods in words."""
    return f"{number} pod" if number == 1 else f"{number} pods"
