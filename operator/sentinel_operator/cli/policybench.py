"""`policy bench`: how long policies take over recorded plans, and whether that is longer than it was."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from sentinel_operator.cli.baseline import Baseline, baseline_of, compared, dearer, load, save
from sentinel_operator.cli.bench import Clock, Figures, Measured, measured
from sentinel_operator.cli.grid import clean, console, grid, show
from sentinel_operator.cli.outcome import Exit, Failed, Invalid
from sentinel_operator.cli.recorded import Recorded, recorded
from sentinel_operator.core.actionplan.facts import facts_of
from sentinel_operator.core.actionplan.order import ordered
from sentinel_operator.core.hashing import hash8
from sentinel_operator.core.policy.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command was given."""

    files: Sequence[str]
    save: str | None = None
    baseline: str | None = None
    threshold: float = 1.25
    repeat: int = 200


def policy_bench(asked: Asked, *, clock: Clock = time.thread_time) -> Exit:
    """Prints what judging takes, keeps it and compares it. The clock is the thread's own: what else runs on the machine
    is not in it, for a decision waits for nothing."""
    if asked.threshold < 1:
        raise Failed(f"--threshold {asked.threshold:g}: must be at least 1", Exit.USAGE)
    before = load(asked.baseline) if asked.baseline is not None else None
    found = _read(asked.files)
    cases = [facts_of(plan, each) for plan in found.plans for each in ordered(plan.plan.decisions)]
    run = measured(found.policies, cases, repeat=asked.repeat, clock=clock)
    if run.calibration <= 0 or run.decision.p50 <= 0:
        raise Failed("the clock of this machine is too coarse for so little work: give more of it", Exit.USAGE)
    now = baseline_of(run, inputs=_digest(found, cases))
    show(list(_told(run, found, cases, asked.repeat)), console())
    if asked.save is not None:
        save(asked.save, now)
    return _verdict(now, before, asked) if before is not None else Exit.OK


def _read(files: Sequence[str]) -> Recorded:
    """Whatever is wrong with the files is the caller's: 1 is kept for what became slower."""
    try:
        found = recorded(files)
    except Invalid as error:
        raise Failed(str(error), Exit.USAGE) from error
    wrong = [
        f"{file}: {plan.name}: {plan.problem}"
        for file, plan in zip(found.files, found.plans, strict=True)
        if plan.spec is None
    ]
    if wrong:
        raise Failed("\n".join(wrong), Exit.USAGE)
    if not found.policies:
        raise Failed("there is no ActionPolicy in these files", Exit.USAGE)
    return found


def _digest(found: Recorded, cases: Sequence[Facts]) -> str:
    specs = {each.name: each.spec.model_dump(mode="json") for each in found.policies if each.spec is not None}
    return hash8({"policies": specs, "decisions": [each.decision.model_dump(mode="json") for each in cases]})


def _told(run: Measured, found: Recorded, cases: Sequence[Facts], repeat: int) -> Iterator[Text]:
    rules = sum(len(each.spec.rules or ()) for each in found.policies if each.spec is not None)
    counts = f"decisions {len(cases)}, plans {len(found.plans)}, policies {len(found.policies)}, rules {rules}"
    yield Text(f"{counts}; each decision judged {repeat} times")
    rows: list[tuple[str, ...]] = [
        ("", "p50", "p99", ""),
        ("a decision", *_ms(run.decision), f"{run.per_second:,.0f} decisions/s"),
    ]
    for policy in run.policies:
        matched = f"{policy.decisions} of {len(cases)} decisions"
        rows.append((clean(policy.name), *_ms(policy.figures), matched))
        rows.extend((f"  [{rule.index}] {rule.type}", *_ms(rule.figures), "") for rule in policy.rules)
    rows.append(("calibration loop", f"{run.calibration * 1000:.3f} ms", "", ""))
    yield from _grid(rows)


def _grid(rows: Sequence[tuple[str, ...]]) -> Iterator[Text]:
    """Figures stand under figures: `grid` takes the cells' own blanks away."""
    widths = [max(len(row[index]) for row in rows) for index in (1, 2)]
    texts = [(Text(row[0]), Text(row[1].rjust(widths[0])), Text(row[2].rjust(widths[1])), Text(row[3])) for row in rows]
    yield from grid(texts)


def _ms(figures: Figures) -> tuple[str, str]:
    return f"{figures.p50 * 1000:.3f} ms", f"{figures.p99 * 1000:.3f} ms"


def _verdict(now: Baseline, before: Baseline, asked: Asked) -> Exit:
    lines = []
    if now.inputs != before.inputs:
        lines.append(Text(f"{clean(asked.baseline)} is of other policies or plans"))
    slower = list(compared(now, before, threshold=asked.threshold))
    for name in ("p50", "p99"):
        times = getattr(now.decision, name) / getattr(before.decision, name)
        lines.append(Text(f"a decision, {name}: {times:.2f} times the baseline, both by their calibration loops"))
    if slower:
        lines.append(Text(f"slower than {asked.threshold:g} times the baseline", "red"))
        known = dearer(now, before, threshold=asked.threshold)
        lines.extend(Text(f"  {clean(each.what)}: {each.times:.2f} times") for each in known)
    show(lines, console())
    return Exit.NOT_READY if slower else Exit.OK
