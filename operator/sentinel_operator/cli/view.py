"""What `watch` shows: the object now, and the changes that led here."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from rich.text import Text

from sentinel_operator.api.kinds import SCAN_JOB, SENTRY_MODEL
from sentinel_operator.cli.ages import span
from sentinel_operator.cli.follow import Seen
from sentinel_operator.cli.grid import clean, grid, short, styled
from sentinel_operator.cli.headline import headline
from sentinel_operator.cli.progress import progress_lines
from sentinel_operator.cli.scans import scan_sections, scan_share
from sentinel_operator.cli.standing import standing, status_of, versions, wanted
from sentinel_operator.cli.story import revision_lines
from sentinel_operator.core.plan import Manifest

_REMEMBERED = 10


@dataclass(frozen=True, slots=True)
class Change:
    """How the object stood from a moment on."""

    at: datetime
    style: str
    text: str


@dataclass(slots=True)
class View:
    """Collects what is seen; what repeats the line before it is no change."""

    label: str
    footer: str = ""
    seen: Seen | None = None
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def take(self, seen: Seen, at: datetime) -> Change | None:
        """Remembers what was seen; gives the change, if it is one."""
        self.seen = seen
        change = (
            Change(at, "yellow", f"the API server cannot be asked: {clean(seen.trouble)}")
            if seen.trouble
            else (_change(seen.raw, at))
        )
        if self.changes and self.changes[-1].text == change.text:
            return None
        self.changes.append(change)
        return change

    def plain(self, change: Change) -> str:
        """Writes a change for a log."""
        return f"{change.at:%Y-%m-%dT%H:%M:%SZ} {self.label} {change.text}"

    def lines(self, now: datetime) -> list[Text]:
        """Gives the whole picture for a terminal."""
        if self.seen is None:
            return [Text(f"Asking for {self.label}.")]
        raw, top = self.seen.raw, [Text(f"{self.label} is not there", "yellow")]
        if raw is not None:
            top = [styled(short(headline(raw)), standing(raw).style)]
            if raw["kind"] == SENTRY_MODEL.kind:
                top += _below(progress_lines(raw, now=now) or revision_lines(status_of(raw)))
            if raw["kind"] == SCAN_JOB.kind:
                top += _below(scan_sections(raw, (), now=now)["Progress"])
        if self.seen.trouble:
            top.append(styled(f"This may be old: {self.seen.trouble}", "yellow"))
        told = [(f"{span((now - each.at).total_seconds())} ago", Text(each.text, each.style)) for each in self.changes]
        footer = [Text(), styled(self.footer, "dim")] if self.footer else []
        return [*top, Text(), Text("Changes", "bold"), *grid(told, indent=2), *footer]


def _below(lines: list[Text]) -> list[Text]:
    return [Text(), *lines] if lines else []


def _change(raw: Manifest | None, at: datetime) -> Change:
    if raw is None:
        return Change(at, "yellow", "is not there")
    found = standing(raw)
    text = f"Ready={found.ready} {found.reason}"
    if raw["kind"] == SENTRY_MODEL.kind:
        text += f" {status_of(raw).ready_replicas or 0}/{wanted(raw)} {versions(raw)}".rstrip() + _share(raw)
    if raw["kind"] == SCAN_JOB.kind:
        text += scan_share(raw)
    return Change(at, found.style, short(clean(f"{text}: {found.message}" if found.message else text)))


def _share(raw: Manifest) -> str:
    rollout = status_of(raw).rollout
    if rollout is None or not rollout.candidate or rollout.strategy == "Initial":
        return ""
    return f" {rollout.weight}%"
