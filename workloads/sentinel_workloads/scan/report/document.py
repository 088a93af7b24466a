"""report.json: what a scan found, in a size that does not grow with the dataset. Every result stays in the parts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sentinel_operator.api.attestation import DatasetFindings, DetectorPart, Job, Policy, Source
from sentinel_operator.api.base import Model
from sentinel_operator.api.scanning import Counts, ResultLine

SCHEMA = "https://sentinel.dev/schemas/scan-report/v1"


class AttackClass(Model):
    """How many documents have a reason of this class; a document may be in several."""

    attack: str
    documents: int
    quarantined: int


class RuleUse(Model):
    """How many documents a rule found."""

    rule: str
    attack: str
    documents: int


class ObjectSummary(Model):
    """The verdicts on the documents of one object."""

    object: str
    documents: int
    quarantined: int = 0
    elevated: int = 0
    failed: int = 0
    max_risk: int = 0


class Attested(Model):
    """What the signed statement says of the results as well, and where all of them lie, beside this file."""

    merkle_root: str
    lines_digest: str
    dataset_digest: str
    results: str = "results.jsonl.gz"
    leaves: str = "leaves.bin"
    objects: str = "objects.jsonl"
    bundle: str = "statement.sigstore.json"


class CleanSet(Model):
    """The manifest of what may be trained on."""

    uri: str
    digest: str
    documents: int


class Finding(Model):
    """One of the worst documents, with its place among all results."""

    index: int
    """Of its leaf in the Merkle tree."""
    result: ResultLine


class Report(Model):
    """report.json."""

    schema_: Literal["https://sentinel.dev/schemas/scan-report/v1"] = Field(
        default="https://sentinel.dev/schemas/scan-report/v1", alias="$schema"
    )
    job: Job
    source: Source
    verdict: Literal["Clean", "Quarantined", "Incomplete"]
    counts: Counts
    policy: Policy
    detector: DetectorPart
    dataset: DatasetFindings = DatasetFindings()
    examples: tuple[str, ...] = ()
    """A few objects that the provenance does not account for, or that could not be read whole."""
    finished_at: str
    attested: Attested
    clean: CleanSet | None = None
    histogram: tuple[int, ...]
    """Documents by risk: 101 numbers, for the risks 0 to 100; documents that could not be judged are left out."""
    classes: tuple[AttackClass, ...] = ()
    rules: tuple[RuleUse, ...] = ()
    objects: tuple[ObjectSummary, ...] = ()
    """Those with the most quarantined documents; `objects_left_out` more have findings too."""
    objects_left_out: int = 0
    worst: tuple[Finding, ...] = ()
    """Worst first; `worst_left_out` more documents are not Clean."""
    worst_left_out: int = 0
