"""Whether a step is done, waits for the cluster, waits for a person, or shows that the candidate is bad."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, assert_never

from sentinel_operator.api.fields import seconds
from sentinel_operator.core.rollout.dataplane import settled, settled_for
from sentinel_operator.core.rollout.instructions import (
    Ask,
    Fill,
    Flip,
    Hold,
    Instruction,
    Judge,
    Load,
    Preview,
    Reflect,
    Replace,
    Roll,
    Scale,
    Settle,
    SetWeight,
)
from sentinel_operator.core.rollout.observed import Observed, RevisionView
from sentinel_operator.core.rollout.program import Posture
from sentinel_operator.core.rollout.routes import Routes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step. `timed`: without progress it counts as stalled after the deadline."""

    kind: Literal["Done", "Waits", "Person", "Reject"]
    reason: str = ""
    message: str = ""
    timed: bool = False
    look_again: float | None = None


DONE = Outcome("Done")
PAUSED = "Paused"


def outcome(
    observed: Observed, step: Instruction, *, index: int, demanded: Posture, count: int, routes: Routes
) -> Outcome:
    """Judges one step. `count` are the candidate's pods that it demands, `routes` the routing."""
    candidate = observed.view(observed.state.candidate)
    match step:
        case SetWeight(weight):
            return _pods(candidate, count) or _arrived(observed, candidate, weight, count, routes)
        case Scale() | Preview() | Reflect():
            return _pods(candidate, count) or DONE
        case Hold(limit):
            return _held(observed, index, limit)
        case Judge(_, at_least):
            return _judged(observed, index, at_least)
        case Ask(gate):
            return _asked(observed, index, seconds(gate.timeout))
        case Fill() | Roll() | Replace():
            return _taken_over(observed, candidate, count)
        case Load(replay):
            return _loaded(observed, compared=replay > 0)
        case Flip():
            return _flipped(observed)
        case Settle(limit):
            return _settled(observed, limit, routes, swapping=demanded.mode == "Swap")
        case _:
            assert_never(step)


def run_key(observed: Observed, index: int) -> str:
    """Names one run of an analysis or a gate."""
    state = observed.state
    return f"{state.candidate}/{index}/{state.attempt}"


def let_past(observed: Observed, index: int) -> bool:
    """Tells whether a person lets this attempt go on past the step."""
    promote, state = observed.spec.promote, observed.state
    return (
        promote is not None
        and (promote.revision, promote.attempt) == (state.candidate, state.attempt)
        and promote.step is not None
        and promote.step >= index
    )


def _pods(candidate: RevisionView, count: int) -> Outcome | None:
    if candidate.sure < count:
        return Outcome("Waits", "WaitingForPods", f"{candidate.sure} of {count} pods ready", timed=True)
    if count and not candidate.verified:
        return Outcome("Waits", "WaitingForVerification", "not every pod has verified what it serves", timed=True)
    return None


def _arrived(observed: Observed, candidate: RevisionView, weight: int, count: int, routes: Routes) -> Outcome:
    if weight > 0 and not routes.reaches(candidate.id):
        return Outcome("Waits", "WaitingForOthers", "pods of another revision have not ended", timed=True)
    if settled(observed, routes) and (weight == 0 or candidate.endpoints >= count):
        return DONE
    return Outcome("Waits", "WaitingForDataPlane", "the routing has not been observed yet", timed=True)


def _held(observed: Observed, index: int, limit: float | None) -> Outcome:
    if let_past(observed, index):
        return DONE
    if limit is None:
        return Outcome("Person", PAUSED, f"waits to be promoted past step {index}")
    left = observed.state.step_started + limit - observed.now
    return DONE if left <= 0 else Outcome("Waits", "Pausing", f"pauses for {limit:g} s", look_again=left)


def _judged(observed: Observed, index: int, at_least: float) -> Outcome:
    view = observed.analysis
    view = view if view is not None and view.key == run_key(observed, index) else None
    told = f": {view.message}" if view is not None and view.message else ""
    if view is not None and view.verdict == "Fail":
        return Outcome("Reject", "AnalysisFailed", f"the analysis of step {index} failed{told}")
    if let_past(observed, index):
        return DONE
    if view is None or view.verdict == "Running":
        return Outcome("Waits", "Analyzing", f"the analysis of step {index} runs{told}")
    match view.verdict:
        case "Pass":
            left = observed.state.step_started + at_least - observed.now
            return DONE if left <= 0 else Outcome("Waits", "Analyzing", "passes so far", look_again=left)
        case "Inconclusive":
            return Outcome("Person", "AnalysisInconclusive", f"the analysis of step {index} says nothing{told}")
        case _:
            return Outcome("Person", "AnalysisError", f"the analysis of step {index} could not measure{told}")


def _asked(observed: Observed, index: int, limit: float) -> Outcome:
    view = observed.gate
    view = view if view is not None and view.key == run_key(observed, index) else None
    if let_past(observed, index) or (view is not None and view.verdict == "Open"):
        return DONE
    told = f": {view.message}" if view is not None and view.message else ""
    left = observed.state.step_started + limit - observed.now
    if left <= 0:
        return Outcome("Person", "GateClosed", f"the gate of step {index} has not opened in {limit:g} s{told}")
    return Outcome("Waits", "WaitingForGate", f"the gate of step {index} has not opened yet{told}", look_again=left)


def _taken_over(observed: Observed, candidate: RevisionView, count: int) -> Outcome:
    missing = _pods(candidate, count)
    if missing is not None:
        return missing
    if candidate.serving >= count and observed.written.reaches(candidate.id):
        return DONE
    return Outcome("Waits", "WaitingForDataPlane", "the new pods do not get requests yet", timed=True)


def _loaded(observed: Observed, *, compared: bool) -> Outcome:
    swap = observed.swap
    if swap.refused:
        return Outcome("Reject", "SwapRefused", swap.refused)
    done = swap.agreed if compared else swap.loaded
    if done >= swap.pods > 0:
        return DONE
    verb = "have compared it" if compared else "have loaded it"
    told = f"; {swap.note}" if swap.note else ""
    return Outcome("Waits", "Loading", f"{done} of {swap.pods} pods {verb}{told}", timed=True)


def _flipped(observed: Observed) -> Outcome:
    swap, candidate = observed.swap, observed.state.candidate
    if swap.refused:
        return Outcome("Reject", "SwapRefused", swap.refused)
    if swap.answering(candidate) >= swap.pods > 0:
        return DONE
    told = f"{swap.answering(candidate)} of {swap.pods} pods answer with it"
    return Outcome("Waits", "Flipping", told, timed=True)


def _settled(observed: Observed, limit: float, routes: Routes, *, swapping: bool) -> Outcome:
    if not swapping:
        switched = routes.key == Routes.only(observed.state.candidate).key
        since = settled_for(observed, routes) if switched else -1.0
    else:
        flipped = _flipped(observed)
        if flipped.kind != "Done":
            return flipped
        since = max(0.0, observed.now - observed.state.step_started)  # remembered times are rounded
    if since < 0:
        return Outcome("Waits", "WaitingForDataPlane", "not all requests go to the candidate", timed=True)
    if since >= limit:
        return DONE
    left = limit - since
    return Outcome("Waits", "Draining", f"the old pods stay for {limit:g} s", look_again=left)


def stalled(observed: Observed, found: Outcome, *, count: int, progressed: float) -> Outcome:
    """Turns a wait that cannot end by itself into one for a person: a terminal fault, or the deadline."""
    fault = observed.view(observed.state.candidate).fault
    if found.kind != "Waits" or not found.timed:
        return found
    if fault is not None and fault.terminal and observed.view(observed.state.candidate).sure < count:
        return Outcome("Person", fault.reason, fault.message, timed=True)
    left = progressed + seconds(observed.spec.progress_deadline) - observed.now
    if left > 0 or observed.state.stalled == PAUSED:
        left = max(left, 1.0)
        return replace(found, look_again=left if found.look_again is None else min(left, found.look_again))
    told = f": {fault.reason}: {fault.message}" if fault is not None else f": {found.message}"
    message = f"no progress within {observed.spec.progress_deadline}{told}"
    return Outcome("Person", "ProgressDeadlineExceeded", message, timed=True)
