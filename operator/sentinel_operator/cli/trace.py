"""A decision trace as a tree: decision, policy, rule, what it was judged by, and what it said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from rich.text import Text

from sentinel_operator.api.actionstatus import TraceEntry
from sentinel_operator.cli.grid import clean, styled

_STYLES = {"Reject": "red", "RequireApproval": "yellow", "Warn": "yellow"}


def tree(trace: Iterable[TraceEntry], *, indent: int = 2) -> Iterator[Text]:
    """Yields the lines. Policies stay in the order in which they were heard."""
    by_decision: dict[str, list[TraceEntry]] = {}
    for each in trace:
        by_decision.setdefault(each.decision, []).append(each)
    for decision, entries in by_decision.items():
        yield Text(f"{' ' * indent}{clean(decision)}")
        for (policy, mode, priority), rules in groupby(
            entries, key=lambda each: (each.policy, each.mode, each.priority)
        ):
            heard = "" if mode == "Enforce" else f", {mode}: keeps nothing back"
            yield Text(f"{' ' * (indent + 2)}{clean(policy)} (priority {priority}{heard})")
            for rule in rules:
                yield from _rule(rule, " " * (indent + 4))


def _rule(rule: TraceEntry, margin: str) -> Iterator[Text]:
    violated = rule.verdict == "Violated"
    style = _STYLES.get(rule.effect, "") if violated else "green"
    said = f": {clean(rule.message)}" if rule.message else ""
    effect = f" -> {rule.effect}" if violated else ""
    line = Text(f"{margin}[{rule.index}] {clean(rule.rule)} ")
    line.append_text(styled(rule.verdict, style))
    yield line.append(f"{effect}{said}")
    for name, value in sorted((rule.inputs or {}).items()):
        yield Text(f"{margin}    {clean(name)} = {clean(value)}")
