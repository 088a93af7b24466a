"""Small charts as inline SVG: no library, no request, readable on a phone and on paper."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sentinel_operator.api.scanning import Counts, Thresholds
from sentinel_workloads.scan.report.document import AttackClass
from sentinel_workloads.scan.report.excerpt import shown, shown_plain

WIDTH = 360
_BIN, _BINS = 5, 20
_PLOT_HEIGHT, _BASE = 104, 118
MAX_CLASSES = 12


def verdict_bar(counts: Counts) -> str:
    """One bar: the share of each verdict. What is there is seen, however small its share."""
    shares = [
        ("quarantined", counts.quarantined),
        ("failed", counts.failed),
        ("elevated", counts.elevated),
        ("clean", counts.clean),
    ]
    there = [(name, count) for name, count in shares if count]
    least = 4.0
    rest = WIDTH - least * len(there)
    left, rects = 0.0, []
    for name, count in there:
        width = least + rest * count / counts.documents
        rects.append(
            f'<rect class="{name}" x="{left:.1f}" y="0" width="{width:.1f}" height="22">'
            f"<title>{count:,} {_NAMES[name]}</title></rect>"
        )
        left += width
    return _svg("Documents by verdict", 22, "".join(rects))


def risk_histogram(histogram: Sequence[int], thresholds: Thresholds) -> str:
    """Documents by risk, on a logarithmic scale: a handful of bad ones among a million must be seen."""
    bins = [sum(histogram[first : first + _BIN]) for first in range(0, 100, _BIN)]
    bins[-1] += histogram[100]
    highest = math.log10(1 + max(*bins, 1))
    width = WIDTH / _BINS
    bars = []
    for number, count in enumerate(bins):
        first = number * _BIN
        height = max(2.0, _PLOT_HEIGHT * math.log10(1 + count) / highest) if count else 0.0
        kind = _kind(first, thresholds)
        last = 100 if number == _BINS - 1 else first + _BIN - 1
        bars.append(
            f'<rect class="{kind}" x="{number * width + 1:.1f}" y="{_BASE - height:.1f}" width="{width - 2:.1f}" '
            f'height="{height:.1f}"><title>risk {first} to {last}: {count:,}</title></rect>'
        )
    lines = [_threshold(thresholds.elevated, "elevated", 10), _threshold(thresholds.quarantine, "quarantine", 10)]
    ticks = [
        f'<text x="{value * WIDTH / 100:.0f}" y="{_BASE + 14}" text-anchor="{anchor}" class="tick">{value}</text>'
        for value, anchor in ((0, "start"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "end"))
    ]
    base = f'<line x1="0" y1="{_BASE}" x2="{WIDTH}" y2="{_BASE}" class="axis"/>'
    return _svg("Documents by risk, logarithmic", _BASE + 18, "".join([*bars, *lines, base, *ticks]))


def class_bars(classes: Sequence[AttackClass]) -> str:
    """The attack classes that were found most; the dark part of a bar are documents that were quarantined."""
    if not classes:
        return '<p class="none">No attack was found.</p>'
    most = max(item.documents for item in classes[:MAX_CLASSES])
    rows = []
    for item in classes[:MAX_CLASSES]:
        whole = max(2.0, 100 * item.documents / most)
        part = 100 * item.quarantined / most
        rows.append(
            f'<tr><th scope="row">{shown(item.attack)}</th><td class="bar">'
            f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" '
            f'aria-label="{shown_plain(item.attack)}: {item.documents}">'
            f'<rect class="elevated" width="{whole:.1f}" height="10"/>'
            f'<rect class="quarantined" width="{part:.1f}" height="10"/></svg></td>'
            f'<td class="number">{item.quarantined:,} of {item.documents:,}</td></tr>'
        )
    more = len(classes) - MAX_CLASSES
    note = f'<p class="none">and {more} more classes in report.json</p>' if more > 0 else ""
    return f'<table class="classes"><tbody>{"".join(rows)}</tbody></table>{note}'


_NAMES = {"quarantined": "quarantined", "failed": "could not be judged", "elevated": "elevated", "clean": "clean"}


def _kind(risk: int, thresholds: Thresholds) -> str:
    if risk >= thresholds.quarantine:
        return "quarantined"
    return "elevated" if risk >= thresholds.elevated else "clean"


def _threshold(value: int, name: str, top: int) -> str:
    x = value * WIDTH / 100
    anchor, shift = ("end", -4) if name == "elevated" else ("start", 4)
    return (
        f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{_BASE}" class="threshold"/>'
        f'<text x="{x + shift:.1f}" y="{top}" text-anchor="{anchor}" class="tick">{name} {value}</text>'
    )


def _svg(label: str, height: int, content: str) -> str:
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{content}</svg>'
