"""What `plan` prints of one model: the change, whether it is delivered, the steps, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from sentinel_operator.cli.ages import span
from sentinel_operator.cli.grid import Cell, clean, grid, short, styled
from sentinel_operator.cli.headline import pods
from sentinel_operator.cli.outlook import Outlook
from sentinel_operator.core.rollout.arithmetic import beside, share
from sentinel_operator.core.rollout.forecast import Forecast
from sentinel_operator.core.rollout.instructions import SetWeight
from sentinel_operator.core.rollout.intent import Begin, Deliver, Rest
from sentinel_operator.core.rollout.program import compiled

_REVISES = {True: "makes another revision", False: "stays within the revision", None: ""}


def outlook_lines(seen: Outlook, *, compared: bool, pod_start: float) -> list[Text]:
    """Gives every line; the first names the model, the second says whether it becomes another revision."""
    metadata = seen.new.raw["metadata"]
    lines = [Text(f"sentrymodel/{metadata['name']} in namespace {metadata['namespace']}", "bold")]
    lines += [Text(clean(each)) for each in _revision(seen, compared=compared)]
    rows: list[Sequence[Cell]] = [
        (each.field, short(f"{each.before} → {each.after}"), _REVISES[each.revises]) for each in seen.changed
    ]
    lines += grid(rows, indent=2)
    lines += [styled(each, style) for each, style in _delivery(seen)]
    if seen.forecast is not None:
        lines += [Text(), *_steps(seen.forecast), Text(), *(Text(each) for each in _notes(seen, pod_start))]
    return lines


def _revision(seen: Outlook, *, compared: bool) -> Iterator[str]:
    new = seen.target
    if not compared:
        yield f"It is revision {new}. Nothing is compared (--against): shown is how it would replace another one."
    elif seen.old is None:
        yield f"It is revision {new}, the first: there is no such model to compare with."
    elif seen.former == new:
        yield f"No new revision: it stays {new}." if seen.changed else f"Nothing changes: it stays {new}."
    else:
        yield f"A new revision: {new} in place of {seen.former}."
        if not any(each.revises for each in seen.changed):
            yield "  No field of the spec does it alone: what it refers to differs, or the images of the settings."


def _delivery(seen: Outlook) -> Iterator[tuple[str, str]]:
    if seen.ends:
        yield f"The rollout of revision {seen.ends} ends: all requests go back to {seen.replaces or 'none'} first.", ""
    match seen.intent:
        case Begin(strategy="Initial"):
            yield f"First delivery: nothing serves yet. {_costs(seen)}", ""
        case Begin(revision=revision, strategy=strategy, attempt=attempt, fast=fast):
            again = f", attempt {attempt} of revision {revision}" if attempt > 1 else ""
            how = ", at once, as it was promoted lately (steps and analyses are skipped)" if fast else ""
            yield f"{strategy}{again}{how}: {_costs(seen)}", ""
            if seen.new.spec.rollout.strategy == "Auto":
                yield "Auto: where no pod finds room beside those that run, it is another strategy.", "yellow"
        case Deliver():
            goes_on = "starts again, as its steps were edited" if seen.restarts else "goes on"
            yield f"The rollout under way {goes_on}: {_costs(seen)}", ""
        case Rest(reason="Stable"):
            yield f"Nothing is delivered: that revision serves already, with {pods(seen.wanted)} wanted.", ""
        case Rest(reason=reason, message=message, stalled=stalled):
            yield f"Nothing is delivered: {reason}: {message}.", "red" if stalled else "yellow"


def _costs(seen: Outlook) -> str:
    found = seen.forecast
    if found is None:
        return "nothing"
    steps = f"{len(found.steps)} step{'s' if len(found.steps) != 1 else ''}"
    waits = ""
    if found.waits:
        waits = f" plus the wait{'s' if found.waits > 1 else ''} of {found.waits} step{'s' if found.waits > 1 else ''} "
        waits += "for a person or a gate"
    devices = f" and {found.peak_gpus} GPUs" if found.peak_gpus else ""
    peak = f"at most {pods(found.peak_pods)}{devices} at once ({pods(seen.wanted)} wanted)"
    return f"{steps}, about {span(found.seconds)}{waits}; {peak}."


def _steps(found: Forecast) -> list[Text]:
    devices = found.peak_gpus > 0
    head = ("step", "", "requests", "stable", "coming", "at most", *(("GPUs",) if devices else ()), "lasts")
    rows: list[Sequence[Cell]] = [head]
    for index, step in enumerate(found.steps):
        lasts = (
            "until somebody acts" if step.seconds is None else f"about {span(step.seconds)}" if step.seconds else "-"
        )
        counts = (str(step.stable_pods), str(step.candidate_pods), str(step.pods))
        rows.append((str(index), step.text, f"{step.weight}%", *counts, *((str(step.gpus),) if devices else ()), lasts))
    return grid(rows, indent=2)


def _notes(seen: Outlook, pod_start: float) -> Iterator[str]:
    spec = seen.new.spec
    found = seen.forecast
    if found is not None and spec.routing.provider == "Service" and found.strategy == "Canary":
        yield from _rounded(seen, found)
    yield f"Reckoned with pods that are ready after {span(pod_start)} (--pod-start), and without failures."


def _rounded(seen: Outlook, found: Forecast) -> Iterator[str]:
    """Says what each weight becomes with whole pods, wanted and (where stable lacks some) as they are now."""
    program = compiled(seen.new.spec.rollout, found.strategy, wanted=seen.wanted)
    if len(program.steps) != len(found.steps):
        return
    pairs = [
        (step.weight, foreseen)
        for step, foreseen in zip(program.steps, found.steps, strict=True)
        if isinstance(step, SetWeight) and foreseen.weight != step.weight
    ]
    told = [
        f"{weight}% becomes {foreseen.weight}% ({foreseen.candidate_pods} of "
        f"{pods(foreseen.candidate_pods + foreseen.stable_pods)})"
        for weight, foreseen in pairs
    ]
    if told:
        yield f"By whole pods, {', '.join(told)}."
    ready = seen.serving
    if ready is None or not 0 < ready < seen.wanted:
        return
    now = [
        f"{step.weight}% is {share(count := beside(ready, step.weight), of=count + ready)}%"
        for step in program.steps
        if isinstance(step, SetWeight) and 0 < step.weight < 100
    ]
    if now:
        yield f"Of stable {ready} of {pods(seen.wanted)} are ready now; as long as that is so, {', '.join(now)}."
