"""The pods of a model, and what each of their containers says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from rich.text import Text

from sentinel_operator.api.serving import ExitCode, Termination
from sentinel_operator.cli.ages import age
from sentinel_operator.cli.grid import Cell, clean, grid, short, styled
from sentinel_operator.core.names import REVISION
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.sentrymodel.faults import conclusion

MOST_SHOWN = 20


def pod_lines(pods: Sequence[Manifest], *, now: datetime) -> list[Text]:
    """Gives a row a pod and one a container; those that are not ready come first, and long lists are cut."""
    shown = sorted(pods, key=lambda pod: (ready(pod), _revision(pod), pod["metadata"]["name"]))[:MOST_SHOWN]
    rows: list[Sequence[Cell]] = []
    for pod in shown:
        rows.append(_pod_row(pod, now))
        rows.extend(_container_rows(pod, now))
    left = len(pods) - len(shown)
    more = [Text(f"  and {left} more")] if left else []
    return [*grid(rows, indent=2), *more]


def ready(pod: Manifest) -> bool:
    """Tells whether the pod gets requests."""
    return _condition(pod, "Ready").get("status") == "True"


def _pod_row(pod: Manifest, now: datetime) -> Sequence[Cell]:
    metadata, node = pod["metadata"], (pod.get("spec") or {}).get("nodeName")
    since = age(metadata.get("creationTimestamp"), now)
    unplaced = _condition(pod, "PodScheduled").get("message") or "" if not node else ""
    where = f"on {node}" if node else "without a node"
    facts = f"revision {_revision(pod)}, {where}, age {since}"
    return (metadata["name"], _state(pod), f"{facts}: {unplaced}" if unplaced else facts)


def _state(pod: Manifest) -> Text:
    if pod["metadata"].get("deletionTimestamp"):
        return styled("leaving", "yellow")
    if ready(pod):
        return styled("ready", "green")
    status, scheduled = pod.get("status") or {}, _condition(pod, "PodScheduled")
    if status.get("phase") in {"Failed", "Succeeded"}:
        return styled(status.get("reason") or status["phase"], "red")
    if scheduled.get("status") == "False":
        return styled(scheduled.get("reason") or "Unschedulable", "red")
    return styled("not ready", "yellow")


def _revision(pod: Manifest) -> str:
    return str((pod["metadata"].get("labels") or {}).get(REVISION, "?"))


def _condition(pod: Manifest, type_: str) -> Mapping[str, Any]:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == type_), {})


def _container_rows(pod: Manifest, now: datetime) -> Iterator[Sequence[Cell]]:
    status = pod.get("status") or {}
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        restarts = int(container.get("restartCount") or 0)
        again = f" ({restarts} restart{'s' if restarts > 1 else ''})" if restarts else ""
        yield (Text(f"  {clean(container['name'])}"), *_says(container, now, again))


def _says(container: Mapping[str, Any], now: datetime, again: str) -> tuple[Cell, Cell]:
    state, last = container.get("state") or {}, (container.get("lastState") or {}).get("terminated")
    before = f"before: {ending(last)}" if last and last.get("exitCode") != 0 else ""
    if (ended := state.get("terminated")) is not None:
        good = ended.get("exitCode") == 0
        return styled(f"{'done' if good else 'failed'}{again}", "green" if good else "red"), ending(ended)
    if (running := state.get("running")) is not None:
        since = f"for {age(running['startedAt'], now)}" if running.get("startedAt") else ""
        words = "running" if container.get("ready") else "starting"
        return styled(f"{words}{again}", "green" if container.get("ready") else "yellow"), _joined(since, before)
    waiting = state.get("waiting") or {}
    reason, message = str(waiting.get("reason") or "Waiting"), str(waiting.get("message") or "")
    quiet = reason in {"PodInitializing", "ContainerCreating", "CrashLoopBackOff"}
    return styled(f"{reason}{again}", "yellow"), _joined("" if quiet else message, before)


def ending(ended: Mapping[str, Any]) -> str:
    """Says how a container ended, in its own words where it left some."""
    code, message = int(ended.get("exitCode") or 0), str(ended.get("message") or "")
    try:
        told = Termination.model_validate_json(message)
    except ValidationError:
        told = Termination(message=conclusion(message))
    if code == 0:
        return _verified(told)
    reason = ExitCode(code).name if code in set(ExitCode) else str(ended.get("reason") or "Error")
    said = f"{told.field}: {told.message}" if told.field and told.message else told.message or told.field
    return f"{reason} (exit code {code})" + (f": {said}" if said else "")


def _verified(told: Termination) -> str:
    found = told.verification
    if found is None:
        return told.message
    signer = (
        f", signed by {found.authority} ({short(found.identity)})" if found.authority else ", signature not asked for"
    )
    cached = ", from the cache" if found.from_cache else ""
    return f"verified {short(found.digest)}{signer}{cached}" + (f"; WARNING: {found.warning}" if found.warning else "")


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
