"""Hot swap as far as it can be seen: whether running pods could load a revision, and how far they are with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from sentinel_operator.api.active import ActiveConfig
from sentinel_operator.core.rollout.observed import Observed as RolloutObserved
from sentinel_operator.core.rollout.routes import SwapView
from sentinel_operator.core.sentrymodel.observe import Observed, PodView, live_active, snapshots
from sentinel_operator.core.sentrymodel.revision import Revision
from sentinel_operator.core.swapreport import Held, SwapReport

_PASSING = frozenset({"StorageUnreachable", "NoSpace"})
"""Why a copy is not there yet, without anything being wrong with the revision."""


def swapping_view(observed: Observed, view: RolloutObserved, target: Revision | None) -> RolloutObserved:
    """Adds what a hot swap goes by."""
    obstacle = _obstacle(observed, view.state.base, target)
    return replace(
        view,
        spare=observed.outside.spare,
        swappable=not obstacle,
        loadable=_loadable(observed, view.state.base),
        unswappable=obstacle,
        swap=_seen(observed, base=view.state.base, candidate=view.state.candidate)
        if view.state.strategy == "HotSwap"
        else view.swap,
    )


def _loadable(observed: Observed, base: str) -> frozenset[str]:
    serving = observed.deployments.get(base)
    if serving is None or not serving.follows or not serving.process_digest:
        return frozenset()
    fits = {revision for revision, process in snapshots(observed).items() if process == serving.process_digest}
    return frozenset(fits - {base})


def swap_reports(observed: Observed, host: str) -> list[SwapReport]:
    """Gives what the ready pods of a Deployment have said."""
    found = (observed.outside.reports.get(pod.uid) for pod in observed.pods.get(host, ()) if pod.ready)
    return [each for each in found if isinstance(each, SwapReport)]


def _obstacle(observed: Observed, base: str, target: Revision | None) -> str:
    """Says why the pods that serve cannot load what the spec asks for; nothing, where they can."""
    serving = observed.deployments.get(base)
    if serving is None or target is None:
        return "there are no pods to load it"
    if not serving.follows:
        return f"the pods of revision {base} were made to serve one revision only"
    if serving.process_digest != target.process_digest:
        return "it differs in more than what running pods can load: the model, its schema and how it is run"
    return ""


def _seen(observed: Observed, *, base: str, candidate: str) -> SwapView:
    told = live_active(observed, base)
    pods = [pod for pod in observed.pods.get(base, ()) if pod.ready]
    reports = {pod.name: report for pod in pods if (report := _current(observed, pod, told)) is not None}
    held = {name: report.held[candidate] for name, report in reports.items() if candidate in report.held}
    ready = [each for each in held.values() if each.state == "Ready"]
    return SwapView(
        pods=len(pods),
        loaded=len(ready),
        agreed=sum(each.verdict == "Pass" for each in ready),
        refused=next((_refusal(name, each) for name, each in sorted(held.items()) if _refuses(each)), ""),
        active=dict(Counter(report.active for report in reports.values() if report.active)) or None,
        note=_note(held, told),
    )


def _current(observed: Observed, pod: PodView, told: ActiveConfig | None) -> SwapReport | None:
    """What a pod said before it has read the last instruction is about another one."""
    report = observed.outside.reports.get(pod.uid)
    if not isinstance(report, SwapReport) or told is None:
        return None
    return report if report.serial == told.serial else None


def _refuses(held: Held) -> bool:
    return (held.state in {"Failed", "Refused"} and held.reason not in _PASSING) or held.verdict == "Fail"


def _refusal(name: str, held: Held) -> str:
    if held.verdict == "Fail":
        return (
            f"pod {name}: on {held.inputs} of its last inputs the same label in {held.agreement:.1%}, "
            f"scores at most {held.difference:.3g} apart"
        )
    return f"pod {name}: {held.reason or held.state}"


def _note(held: dict[str, Held], told: ActiveConfig | None) -> str:
    """Says what a pod lacks that has loaded the revision, but cannot say yet whether it agrees."""
    waits = [(name, each) for name, each in sorted(held.items()) if each.state == "Ready"]
    waits = [(name, each) for name, each in waits if each.verdict == "Inconclusive"]
    failed = [(name, each) for name, each in sorted(held.items()) if each.reason in _PASSING]
    if failed:
        return f"pod {failed[0][0]}: {failed[0][1].reason}"
    if waits and told is not None and told.parity is not None:
        return f"pod {waits[0][0]} has compared {waits[0][1].inputs} inputs of at least {told.parity.min_inputs}"
    return ""
