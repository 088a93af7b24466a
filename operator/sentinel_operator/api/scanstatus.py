"""What a ScanJob's status tells: counters and where the results lie, never a result."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sentinel_operator.api.base import Model
from sentinel_operator.api.conditions import Condition, Decision
from sentinel_operator.api.fields import list_map

Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
Phase = Literal["Pending", "Queued", "Planning", "Scanning", "Reporting", "Succeeded", "Failed", "Suspended"]
ScanVerdict = Literal["Clean", "Quarantined", "Incomplete"]


class ScanProgress(Model):
    """How far the scan is; no figure but the rates and the time left ever goes back."""

    percent: str = ""
    """Of the dataset's bytes, for example 37%."""
    documents: Count | None = None
    """In the dataset; known when all of it has been read."""
    scanned: Count = 0
    """Documents that have a verdict."""
    cached: Count = 0
    """Of those, the ones whose verdict was known from before."""
    quarantined: Count = 0
    elevated: Count = 0
    failed: Count = 0
    """Documents that could not be judged; they are quarantined."""
    bytes: Count = 0
    total_bytes: Count = 0
    documents_per_minute: Count | None = None
    bytes_per_second: Count | None = None
    eta_seconds: Count | None = None
    cost_per_thousand: str = ""
    """What 1,000 documents cost by SentinelConfig spec.prices."""
    observed_at: str = ""


class ScanShards(Model):
    """The parts that are scanned apart."""

    total: Count = 0
    active: Count = 0
    succeeded: Count = 0
    failed: Count = 0
    failed_indexes: Annotated[str, Field(max_length=4096)] = ""
    """Such as 1,3-5."""


class ScanReport(Model):
    """Where the report lies, what it is over, and who signed it."""

    uri: str = ""
    digest: str = ""
    """sha256:… of report.json."""
    dataset_digest: str = ""
    clean_digest: str = ""
    """sha256:… of the clean manifest."""
    detector_digest: str = ""
    merkle_root: str = ""
    signature: str = ""
    """Address of the sigstore bundle; empty for a report that nobody signed."""
    identity: str = ""
    """Fingerprint of the key, or identity of the certificate, that signed."""


class ScanJobStatus(Model):
    """What was observed."""

    observed_generation: Annotated[int, Field(json_schema_extra={"format": "int64"})] = -1
    phase: Phase | None = None
    verdict: ScanVerdict | None = None
    """Incomplete: some documents were not judged; nothing of it may be relied on."""
    root: str | None = None
    """Folder of this ScanJob below spec.output."""
    objects: Count | None = None
    """In the dataset, as planned."""
    shards: ScanShards | None = None
    progress: ScanProgress | None = None
    report: ScanReport | None = None
    requested_by: str | None = None
    """Who created the object, as the API server verified it."""
    started_at: str | None = None
    finished_at: str | None = None
    last_decision: Decision | None = None
    conditions: Annotated[list[Condition], Field(max_length=32), list_map("type")] | None = None
