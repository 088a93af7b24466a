"""report.html: the report for people. One file that asks nobody for anything, and that no document can attack.

The page shows foreign, hostile text by design. It goes in through `shown` alone, which leaves neither markup nor
characters that hide; and should a fault slip in, the page's own policy runs no script and no style but the two whose
hashes it names, and loads nothing at all.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files

from sentinel_workloads.scan.report.cards import LABELS, card, class_options, objects_table
from sentinel_workloads.scan.report.charts import class_bars, risk_histogram, verdict_bar
from sentinel_workloads.scan.report.document import Finding, Report
from sentinel_workloads.scan.report.excerpt import hidden_in, shown, shown_plain

MAX_DOCUMENT_BYTES = 12 << 20
"""How much of the page the documents may take; what does not fit is counted."""
MAX_HIDDEN = 12


def page(report: Report) -> str:
    """The whole page."""
    style, script = (files(__package__).joinpath(name).read_text() for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>Scan of {shown_plain(report.job.name)}: {report.verdict}</title><style>{style}</style></head><body>"
        f"{''.join(_body(report))}<script>{script}</script></body></html>\n"
    )


def _body(report: Report) -> Iterator[str]:
    yield _top(report)
    yield "<main>"
    yield _tiles(report)
    yield _charts(report)
    yield _documents(report)
    yield (
        f'<section aria-labelledby="objects"><h2 id="objects">Objects with findings</h2>'
        f"{objects_table(report.objects, report.objects_left_out)}</section>"
    )
    yield _proof(report)
    yield "</main>"


def _top(report: Report) -> str:
    kind = report.verdict.lower()
    where = f"{shown(report.job.namespace)}/" if report.job.namespace else ""
    who = f" · asked for by {shown(report.job.requested_by)}" if report.job.requested_by else ""
    if who and report.job.verified_by == "Nobody":
        who += " (not authenticated)"
    return (
        f'<header class="top"><div><h1>Scan of {shown(report.source.uri)}</h1>'
        f"<p>{where}{shown(report.job.name)} · {shown(report.finished_at)}{who}</p></div>"
        f'<strong class="outcome {kind}">{report.verdict}</strong></header>'
    )


def _tiles(report: Report) -> str:
    counts = report.counts
    tiles = [
        ("", "Documents", counts.documents),
        ("quarantined", "Quarantined", counts.quarantined),
        ("failed", "Not judged", counts.failed),
        ("elevated", "Elevated", counts.elevated),
        ("clean", "Clean", counts.clean),
    ]
    content = "".join(
        f'<div class="{kind if count else ""}"><dt>{name}</dt>'
        f"<dd>{count:,}{_share(count, counts.documents, name)}</dd></div>"
        for kind, name, count in tiles
    )
    return f'<dl class="tiles">{content}</dl>'


def _share(count: int, documents: int, name: str) -> str:
    if name == "Documents" or not documents:
        return ""
    share = 100 * count / documents
    text = "<0.1" if 0 < share < 0.1 else f"{share:.1f}"
    return f"<small>{shown(text)} %</small>"


def _charts(report: Report) -> str:
    keys = "".join(
        f'<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{kind}" width="10" height="10"/></svg>'
        f"{name}</li>"
        for kind, name in (
            ("quarantined", "quarantined"),
            ("failed", "not judged"),
            ("elevated", "elevated"),
            ("clean", "clean"),
        )
    )
    bar = verdict_bar(report.counts) if report.counts.documents else '<p class="none">There were no documents.</p>'
    return (
        '<div class="panels">'
        f'<section class="panel"><h2>Verdicts</h2>{bar}<ul class="key">{keys}</ul></section>'
        f'<section class="panel"><h2>Risk (logarithmic)</h2>'
        f"{risk_histogram(report.histogram, report.policy.thresholds)}</section>"
        f'<section class="panel"><h2>Attacks, quarantined of found</h2>{class_bars(report.classes)}</section></div>'
    )


def _documents(report: Report) -> str:
    cards: list[str] = []
    left, kept = MAX_DOCUMENT_BYTES, []
    for finding in report.worst:
        text = card(finding)
        left -= len(text.encode("utf-8", "replace"))
        if left < 0:
            break
        cards.append(text)
        kept.append(finding)
    out = report.worst_left_out + len(report.worst) - len(cards)
    more = f'<p class="none">{out:,} more documents are not clean: they are in the results.</p>' if out else ""
    none = "" if cards else '<p class="none">Every document is clean.</p>'
    heading = '<section aria-labelledby="documents"><h2 id="documents">Documents, worst first</h2>'
    return f"{heading}{_filters(kept)}{''.join(cards)}{none}{more}{_hidden(kept)}</section>"


def _filters(findings: list[Finding]) -> str:
    there = [verdict for verdict in LABELS if any(finding.result.verdict == verdict for finding in findings)]
    boxes = "".join(
        f'<label class="choice"><input type="checkbox" value="{verdict}" checked>{LABELS[verdict]}</label>'
        for verdict in there
    )
    return (
        f'<div class="filters" role="search" hidden>{boxes}'
        '<select id="class" aria-label="Attack"><option value="">every attack</option>'
        f"{class_options(findings)}</select>"
        '<input id="search" type="search" placeholder="Search text, object, rule" aria-label="Search">'
        '<output id="count" aria-live="polite"></output></div>'
    )


def _hidden(findings: Iterable[Finding]) -> str:
    """What the marks in the excerpts stand for."""
    found: Counter[str] = Counter()
    for finding in findings:
        found.update(hidden_in(finding.result.excerpt))
    if not found:
        return ""
    items = ", ".join(
        f"{shown(char)} {shown(unicodedata.name(char, 'without a name').lower())} ({count:,})"
        for char, count in found.most_common(MAX_HIDDEN)
    )
    more = f", and {len(found) - MAX_HIDDEN} more kinds" if len(found) > MAX_HIDDEN else ""
    return f'<p class="none">Characters that do not show, written out above: {items}{more}.</p>'


def _proof(report: Report) -> str:
    policy, attested = report.policy, report.attested
    facts = [
        ("Dataset", f"<code>{shown(attested.dataset_digest)}</code>"),
        ("Merkle root", f"<code>{shown(attested.merkle_root)}</code> over {report.counts.documents:,} documents"),
        ("Detector", f"<code>{shown(report.detector.digest)}</code>"),
        ("Thresholds", f"quarantine from {policy.thresholds.quarantine}, elevated from {policy.thresholds.elevated}"),
        ("Quarantine", shown(policy.quarantine_mode)),
        ("Objects", f"{report.source.objects:,} ({report.source.bytes:,} bytes)"),
        ("As a whole", _dataset(report)),
        ("Clean set", _clean(report)),
        ("Files", _links()),
        ("Verify", "<code>sentinel-scan verify . --key public.pem</code>"),
    ]
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    return (
        '<section class="panel" aria-labelledby="proof"><h2 id="proof">What was scanned, how, and its proof</h2>'
        f'<p class="muted">This page is a view. What is signed is statement.sigstore.json beside it: '
        f'a changed page, report or result does not verify.</p><dl class="facts">{rows}</dl></section>'
    )


def _dataset(report: Report) -> str:
    """What only the dataset as a whole shows."""
    found = report.dataset
    parts = [
        f"{count:,} {what}"
        for count, what in (
            (report.source.unread, "objects changed or vanished before they were read whole"),
            (
                found.flipped_documents,
                f"documents whose text bears different labels, in {found.flipped_groups:,} groups",
            ),
            (found.duplicate_documents, "documents that repeat another"),
            (found.unknown_objects, "objects of unknown provenance"),
            (found.absent_objects, "objects missing that the provenance names"),
        )
        if count
    ]
    examples = f" (for example {shown(', '.join(report.examples[:5]))})" if report.examples else ""
    return f"{'; '.join(parts)}{examples}" if parts else "nothing to remark"


def _clean(report: Report) -> str:
    if not report.clean:
        return "not asked for"
    return f"{report.clean.documents:,} documents, <code>{shown(report.clean.digest)}</code>"


def _links() -> str:
    names = ("report.json", "bom.cdx.json", "statement.sigstore.json", "clean.jsonl")
    return ", ".join(f'<a href="{name}">{name}</a>' for name in names)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
