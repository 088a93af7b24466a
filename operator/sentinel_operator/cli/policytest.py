"""`policy test`: what policies would make of plans, without a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from sentinel_operator.cli.grid import clean, console, show
from sentinel_operator.cli.outcome import Exit
from sentinel_operator.cli.recorded import recorded
from sentinel_operator.cli.trace import tree
from sentinel_operator.core.actionplan.admissible import faults
from sentinel_operator.core.actionplan.judging import judged
from sentinel_operator.core.actionplan.observed import Observed


def policy_test(files: Sequence[str]) -> Exit:
    """Prints what each plan would come to, and by which rules."""
    rejected = False
    for observed in recorded(files).plans:
        lines, passes = _told(observed)
        show(list(lines), console())
        rejected = rejected or not passes
    return Exit.NOT_READY if rejected else Exit.OK


def _told(observed: Observed) -> tuple[Iterator[Text], bool]:
    if observed.spec is None:
        return iter([Text(f"{observed.name}: Rejected: {clean(observed.problem)}")]), False
    wrong = [said for _, said in faults(observed)]
    if wrong:
        return iter([Text(f"{observed.name}: Rejected: {clean('; '.join(wrong))}")]), False
    verdict = judged(observed)
    reason = f": {clean(verdict.reason)}" if verdict.reason else ""
    lines = [Text(f"{observed.name}: {verdict.effect}{reason}"), *tree(verdict.recorded())]
    return iter(lines), verdict.effect != "Reject"
