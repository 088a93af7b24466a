"""What is told of a ScanJob: how far it is, what came of it, and what its pods say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from rich.text import Text

from sentinel_operator.api.scanstatus import ScanJobStatus, ScanProgress
from sentinel_operator.cli.ages import age, span
from sentinel_operator.cli.grid import Cell, clean, grid, short, styled
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.scanjob.outcome import fault, success

MOST_SHOWN = 20
ADVICE: Mapping[str, str] = {
    "InvalidSpec": "make another one with the field corrected: what runs cannot be changed.",
    "ManagedElsewhere": "look at who spec.managedBy names.",
    "Queued": "wait for Kueue to admit it: kubectl get workloads.",
    "Suspended": "kubectl sentinel resume scanjob/NAME.",
    "NotFound": "correct the address that is named, or put there what is to be scanned; then make another one.",
    "AccessDenied": "let the credentials of the field that is named do what is refused; then make another one.",
    "StorageUnreachable": "check the endpoint that is named, and the network.",
    "InvalidConfig": "correct the field that is named, and make another one.",
    "DigestMismatch": "find out who changed what lies in storage, or declare the digest of what you mean.",
    "SignatureInvalid": "sign the artifact by an authority that the field names, or correct the field.",
    "ModelUnreadable": "publish a detector that can be read, and name it in spec.detectors.",
    "ShardsFailed": "correct or remove the objects that are named, and make another one; what is scanned is cached.",
    "ResultsMissing": "make another one; what is scanned is cached.",
    "Incomplete": "see in the report what was not judged; then make another one.",
    "SigningFailed": "see why nothing could be signed (spec.signing); then make another one.",
    "OOMKilled": "raise spec.pod.resources.limits.memory in another one.",
}


def scan_status(raw: Manifest) -> ScanJobStatus:
    """Reads what is understood of a status; a field that a newer operator writes in another way is left out."""
    given: dict[str, Any] = dict(raw.get("status") or {})
    try:
        return ScanJobStatus.model_validate(given)
    except ValidationError as error:
        strange = {details["loc"][0] for details in error.errors(include_url=False)}
        return ScanJobStatus.model_validate({key: value for key, value in given.items() if key not in strange})


def scan_first(raw: Manifest) -> str:
    """Says in a sentence how far it is."""
    status = scan_status(raw)
    progress = status.progress or ScanProgress()
    counted = f"{progress.scanned:,} documents, {progress.quarantined:,} quarantined"
    if status.finished_at is not None:
        return f"{status.verdict}: {counted}." if status.verdict else f"Ended: {counted}."
    if status.progress is None:
        return "Nothing is scanned yet."
    left = f", about {span(progress.eta_seconds)} left" if progress.eta_seconds is not None else ""
    return f"{progress.percent} scanned: {counted}{left}."


def scan_share(raw: Manifest) -> str:
    """Says it in a few words, for a line of a log."""
    status = scan_status(raw)
    progress = status.progress
    if progress is None:
        return ""
    return f" {progress.percent} {progress.scanned} scanned, {progress.quarantined} quarantined"


def scan_facts(raw: Manifest) -> list[str]:
    """Gives what stands beside the name."""
    status = scan_status(raw)
    return [*([f"phase {status.phase}"] if status.phase else []), *([status.root] if status.root else [])]


def scan_sections(raw: Manifest, pods: Sequence[Manifest], *, now: datetime) -> dict[str, list[Text]]:
    """Gives the sections of the whole story."""
    status = scan_status(raw)
    return {
        "Progress": grid(list(_progress(status)), indent=2),
        "Report": grid(list(_report(status)), indent=2),
        "Pods": _pods(pods, now),
        "Last decision": _decision(status, now),
    }


def _progress(status: ScanJobStatus) -> Iterator[Sequence[Cell]]:
    found, shards = status.progress, status.shards
    if shards is not None:
        failed = f", {shards.failed} failed ({shards.failed_indexes})" if shards.failed else ""
        yield ("shards", f"{shards.succeeded} of {shards.total} scanned, {shards.active} under way{failed}")
    if found is None:
        return
    share = f" of {found.total_bytes:,} bytes" if found.total_bytes else ""
    yield ("read", f"{found.percent}{share}")
    yield ("documents", f"{found.scanned:,} judged, {found.cached:,} of them known from before")
    yield ("found", f"{found.quarantined:,} quarantined, {found.elevated:,} elevated, {found.failed:,} not judged")
    if found.documents_per_minute is not None:
        yield ("rate", f"{found.documents_per_minute:,} documents a minute")
    if found.eta_seconds is not None:
        yield ("left", f"about {span(found.eta_seconds)}")
    if found.cost_per_thousand:
        yield ("cost", f"{found.cost_per_thousand} for 1,000 documents")


def _report(status: ScanJobStatus) -> Iterator[Sequence[Cell]]:
    found = status.report
    if found is None:
        return
    signed = found.signature or "by nobody"
    rows = (
        ("verdict", status.verdict or ""),
        ("requested by", status.requested_by or ""),
        ("report", found.uri),
        ("digest", found.digest),
        ("dataset", found.dataset_digest),
        ("detector", found.detector_digest),
        ("merkle root", found.merkle_root),
        ("signed", f"{signed} ({found.identity})" if found.identity else signed),
    )
    yield from (row for row in rows if row[1])


def _pods(pods: Sequence[Manifest], now: datetime) -> list[Text]:
    """Those that ended well say nothing new; of the others, what keeps them."""
    told = [(pod, fault(pod, field_of=lambda _: "")) for pod in pods if success(pod) is None]
    told.sort(key=lambda each: (each[1] is None, each[0]["metadata"]["name"]))
    rows: list[Sequence[Cell]] = []
    for pod, found in told[:MOST_SHOWN]:
        phase = str((pod.get("status") or {}).get("phase") or "Pending")
        what = f"{found.reason}: {found.message}" if found is not None else ""
        style = "red" if found is not None else "green" if phase == "Running" else "yellow"
        since = age(pod["metadata"].get("creationTimestamp"), now)
        rows.append((pod["metadata"]["name"], styled(phase, style), f"age {since}", short(what)))
    more = [Text(f"  and {len(told) - MOST_SHOWN} more")] if len(told) > MOST_SHOWN else []
    return [*grid(rows, indent=2), *more]


def _decision(status: ScanJobStatus, now: datetime) -> list[Text]:
    found = status.last_decision
    if found is None:
        return []
    first = Text(f"  {age(found.at, now)} ago, by {clean(found.rule)}: {short(clean(found.result))}")
    return [first, *grid(sorted(found.inputs.items()), indent=4)]
