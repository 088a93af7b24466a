"""The whole story of an object, section by section, from what was read of it; `describe` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from sentinel_operator.api.conditions import Condition
from sentinel_operator.api.kinds import SCAN_JOB, SENTRY_MODEL
from sentinel_operator.api.sentrymodel import RevisionStatus, SentryModelStatus
from sentinel_operator.cli.ages import age
from sentinel_operator.cli.events import event_lines
from sentinel_operator.cli.grid import Cell, clean, grid, short, styled
from sentinel_operator.cli.headline import headline
from sentinel_operator.cli.pods import pod_lines
from sentinel_operator.cli.progress import progress_lines
from sentinel_operator.cli.scans import scan_facts, scan_sections
from sentinel_operator.cli.standing import generations, standing, status_of
from sentinel_operator.core.plan import Manifest

WORDS: Mapping[str, tuple[str, str]] = {
    "Ready": ("as declared", "not as declared"),
    "Reconciling": ("being changed", "not being changed"),
    "Stalled": ("stuck until somebody acts", "not stuck"),
    "Available": ("answers requests", "answers no requests"),
    "ModelVerified": ("the artifact is verified", "the artifact is not verified"),
    "Scanned": ("every shard is scanned", "not every shard is scanned"),
    "Clean": ("nothing was found", "not everything is clean"),
    "ReportSigned": ("the report is signed", "nobody signed the report"),
    "ArtifactFromCache": ("pods started from a cached copy", "pods started from storage"),
}
"""What a condition means when it is True and when it is False."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What was read. None in place of a list: it could not be read, and `notes` says why."""

    raw: Manifest
    pods: Sequence[Manifest] | None = ()
    events: Sequence[Manifest] | None = ()
    notes: tuple[str, ...] = ()


def story(gathered: Gathered, *, now: datetime) -> list[Text]:
    """Gives every line; the first one answers what people ask first."""
    raw, status = gathered.raw, status_of(gathered.raw)
    lines = [styled(short(headline(raw)), standing(raw).style), Text(), *_identity(raw, status, now)]
    sections = {"Conditions": _conditions(status, now)}
    if raw["kind"] == SENTRY_MODEL.kind:
        sections |= {
            "Rollout": progress_lines(raw, now=now),
            "Revisions": revision_lines(status),
            "Pods": pod_lines(gathered.pods or (), now=now),
            "Verification": _verification(status, now),
            "Last decision": _decision(status, now),
            "History": _history(status, now),
        }
    if raw["kind"] == SCAN_JOB.kind:
        sections |= scan_sections(raw, gathered.pods or (), now=now)
    sections["Events"] = event_lines(gathered.events or (), now=now)
    for title, body in sections.items():
        if body:
            lines += [Text(), Text(title, "bold"), *body]
    if gathered.notes:
        lines += [Text(), *(styled(f"Note: {note}", "yellow") for note in gathered.notes)]
    return lines


def _identity(raw: Manifest, status: SentryModelStatus, now: datetime) -> list[Text]:
    metadata, (observed, generation) = raw["metadata"], generations(raw)
    where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    seen = "" if observed == generation else f" (observed: {observed if observed >= 0 else 'none'})"
    facts = [
        f"{raw['kind']} {where}{metadata['name']}",
        *(scan_facts(raw) if raw["kind"] == SCAN_JOB.kind else []),
        *([f"phase {status.phase}"] if status.phase and raw["kind"] != SCAN_JOB.kind else []),
        f"age {age(metadata.get('creationTimestamp'), now)}",
        f"generation {generation}{seen}",
        *([status.url] if status.url else []),
    ]
    return grid([facts])


def _conditions(status: SentryModelStatus, now: datetime) -> list[Text]:
    """What one condition has said is not said again by the next."""
    rows, said = [], set[str]()
    for each in status.conditions or ():
        known = not each.message or each.message in said
        rows.append(_condition(each, each.reason if known else f"{each.reason}: {each.message}", now))
        said.add(each.message)
    return grid(rows, indent=2)


def _condition(condition: Condition, why: str, now: datetime) -> Sequence[Cell]:
    held, type_ = condition.status, condition.type
    if held == "Unknown":
        words = "not known"
    elif type_ in WORDS:
        words = WORDS[type_][0 if held == "True" else 1]
    else:
        words = "yes" if held == "True" else "no"
    return (type_, words, f"for {age(condition.last_transition_time, now)}", short(why))


def revision_lines(status: SentryModelStatus) -> list[Text]:
    """Puts the revision that serves and the one that comes side by side."""
    sides = [(title, each) for title, each in (("stable", status.stable), ("coming", status.canary)) if each]
    if not sides:
        return []
    rows: list[Sequence[Cell]] = [("", *(title for title, _ in sides))]
    rows += [(name, *cells) for name, cells in _facts([each for _, each in sides]) if any(cells)]
    return grid(rows, indent=2)


def _facts(sides: Sequence[RevisionStatus]) -> Iterator[tuple[str, list[str]]]:
    yield "revision", [each.revision for each in sides]
    yield "version", [each.version for each in sides]
    yield "model", [short(each.model_digest) for each in sides]
    yield "image", [short(each.image_digest) for each in sides]
    yield "configuration", [short(each.config_digest) for each in sides]
    yield "ready pods", [str(each.ready_replicas) for each in sides]
    yield "requests", [f"{each.weight} %" for each in sides]


def _verification(status: SentryModelStatus, now: datetime) -> list[Text]:
    found = status.verification
    if found is None:
        return []
    signer = f"{found.authority} ({found.identity})" if found.authority else "nobody was asked for"
    when = f"{found.at} ({age(found.at, now)} ago)" if found.at else ""
    rows = [("digest", found.digest), ("signed by", signer), ("verified at", when)]
    return grid([row for row in rows if row[1]], indent=2)


def _decision(status: SentryModelStatus, now: datetime) -> list[Text]:
    found = status.last_decision
    if found is None:
        return []
    first = Text(f"  {age(found.at, now)} ago, by {clean(found.rule)}: {short(clean(found.result))}")
    return [first, *grid(sorted(found.inputs.items()), indent=4)]


def _history(status: SentryModelStatus, now: datetime) -> list[Text]:
    styles = {"Promoted": "green", "Failed": "red", "Rejected": "red", "Aborted": "red", "Pending": "yellow"}
    rows = [
        (
            record.revision,
            record.version,
            styled(record.verdict, styles.get(record.verdict, "")),
            f"{age(record.created_at, now)} ago",
            short(record.message),
        )
        for record in status.revisions or ()
    ]
    return grid(rows, indent=2)
