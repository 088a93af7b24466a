"""The parts of the page that repeat: a card for each of the worst documents, a table of objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sentinel_operator.api.scanning import ReasonLine, ResultLine, Verdict
from sentinel_workloads.scan.report.document import Finding, ObjectSummary
from sentinel_workloads.scan.report.excerpt import highlighted, shown, shown_plain

MAX_REASONS = 12
KINDS: dict[Verdict, str] = {
    "Quarantined": "quarantined",
    "Error": "failed",
    "Elevated": "elevated",
    "Clean": "clean",
}
LABELS: dict[Verdict, str] = {
    "Quarantined": "Quarantined",
    "Error": "Not judged",
    "Elevated": "Elevated",
    "Clean": "Clean",
}


def card(finding: Finding) -> str:
    """A document: its verdict, why, and the place in its text."""
    line = finding.result
    kind = KINDS[line.verdict]
    classes = " ".join(sorted({reason.attack for reason in line.reasons}))
    return (
        f'<article class="document {kind}" data-verdict="{line.verdict}" data-classes="{shown_plain(classes)}">'
        f"<header>{_risk(line)}<div>"
        f'<h3>{shown(line.object)}<span class="row"> {_place(line)}</span></h3>'
        f'<p class="verdict"><span class="badge">{LABELS[line.verdict]}</span>'
        f'<span class="leaf">leaf {finding.index:,}</span><code>{shown(line.digest[:19])}…</code></p>'
        f"</div></header>{_reasons(line.reasons)}{_excerpt(line)}</article>"
    )


def objects_table(objects: Sequence[ObjectSummary], left_out: int) -> str:
    """The objects with the most findings."""
    if not objects:
        return '<p class="none">No object has a document that is not clean.</p>'
    head = (
        '<tr><th scope="col">Object</th><th scope="col">Documents</th><th scope="col">Quarantined</th>'
        '<th scope="col">Not judged</th><th scope="col">Elevated</th><th scope="col">Highest risk</th></tr>'
    )
    rows = "".join(
        f'<tr><th scope="row">{shown(item.object)}</th><td>{item.documents:,}</td><td>{item.quarantined:,}</td>'
        f"<td>{item.failed:,}</td><td>{item.elevated:,}</td><td>{item.max_risk}</td></tr>"
        for item in objects
    )
    note = f'<p class="none">and {left_out:,} more objects with findings</p>' if left_out else ""
    table = f'<table class="objects"><thead>{head}</thead><tbody>{rows}</tbody></table>'
    return f'<div class="scroll" tabindex="0">{table}</div>{note}'


def class_options(findings: Iterable[Finding]) -> str:
    """The classes among the documents shown, to choose from."""
    classes = sorted({reason.attack for finding in findings for reason in finding.result.reasons})
    return "".join(f'<option value="{shown_plain(name)}">{shown_plain(name)}</option>' for name in classes)


def _risk(line: ResultLine) -> str:
    value = "?" if line.verdict == "Error" else str(line.risk)
    return f'<p class="risk"><b>{value}</b><span>risk</span></p>'


def _place(line: ResultLine) -> str:
    parts = [f"#{line.row:,}"] if line.row else []
    if line.id:
        parts.append(f"id {shown(line.id[:200])}")
    if line.label:
        parts.append(f"label {shown(line.label[:200])}")
    return " · ".join(parts)


def _reasons(reasons: tuple[ReasonLine, ...]) -> str:
    if not reasons:
        return ""
    items = "".join(
        f'<li><span class="class">{shown(reason.attack)}</span> {shown(reason.message or reason.rule)}'
        f"{_decoded(reason)}</li>"
        for reason in reasons[:MAX_REASONS]
    )
    more = len(reasons) - MAX_REASONS
    return f"<ul>{items}{f'<li>and {more} more</li>' if more > 0 else ''}</ul>"


def _decoded(reason: ReasonLine) -> str:
    return f' <span class="decoded">hidden as {shown(reason.decoded)}</span>' if reason.decoded else ""


def _excerpt(line: ResultLine) -> str:
    if not line.excerpt:
        return ""
    before = "…" if line.excerpt_start else ""
    text = highlighted(line.excerpt, line.excerpt_start, line.reasons)
    return f'<pre dir="auto">{before}{text}</pre>'
