"""The in-toto statement over a scan: which dataset, which verdicts, found by what, under which policy, for whom.

Subjects are the dataset (its canonical digest) and the files of the report. The predicate binds every document by the
root of the Merkle tree, and every line of the results by their digest.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, ValidationError

from sentinel_operator.api.base import Model
from sentinel_operator.api.scanning import PREDICATE_TYPE, Counts, Thresholds

DATASET = "dataset"
STATEMENT_FILE = "statement.sigstore.json"
"""The signed statement, in the folder of the report."""


class StatementError(Exception):
    """What was signed is no statement over a scan; the message says why."""


class Subject(Model):
    """A thing that the statement is about, by its digest."""

    name: str
    digest: dict[str, str]

    @property
    def sha256(self) -> str:
        """`sha256:…`"""
        return f"sha256:{self.digest.get('sha256', '')}"


class Job(Model):
    """Which scan this was, and who asked for it."""

    name: str
    namespace: str = ""
    uid: str = ""
    requested_by: str = ""
    verified_by: Literal["Kubernetes", "Nobody"] = "Nobody"
    """Who vouches for `requested_by`: the API server authenticated it, or nobody did."""
    requested_at: str = ""


class Source(Model):
    """What was scanned."""

    uri: str
    objects: int
    bytes: int
    unread: int = 0
    """Objects that changed or vanished before they were read whole."""


class DatasetFindings(Model):
    """What only the dataset as a whole shows; the documents concerned have their verdicts in the results."""

    flipped_groups: int = 0
    """Texts that bear different labels."""
    flipped_documents: int = 0
    duplicate_groups: int = 0
    """Texts that occur more than once, disguise aside."""
    duplicate_documents: int = 0
    unknown_objects: int = 0
    """Objects that the provenance does not know, or knows with another digest."""
    absent_objects: int = 0
    """Objects that the provenance names and the dataset does not have."""


class Results(Model):
    """The verdicts: how many documents, and what binds each of them."""

    documents: int
    merkle_root: str
    """`sha256:…`: RFC 6962, over the canonical JSON of {digest, object, risk, row, verdict}, in the results' order."""
    lines_digest: str
    """`sha256:…` of the canonical JSON of every result, one a line: reasons, places and excerpts included."""
    counts: Counts
    dataset: DatasetFindings = DatasetFindings()


class Policy(Model):
    """By which rules documents were found, read and judged."""

    thresholds: Thresholds
    format: str
    text_field: str
    id_field: str = ""
    label_field: str = ""
    max_document_bytes: int
    quarantine_mode: str
    heuristics: bool
    provenance: str = ""
    """Where it was written down which objects should be there, if that was given."""


class DetectorPart(Model):
    """What judged."""

    digest: str
    description: dict[str, Any] = Field(default_factory=dict)
    """Version and number of the rules; name, version and digest of each model."""


class Predicate(Model):
    """All that is claimed of a scan."""

    job: Job
    source: Source
    results: Results
    policy: Policy
    detector: DetectorPart
    verdict: Literal["Clean", "Quarantined", "Incomplete"]
    finished_at: str
    complete: bool
    """Every shard is whole and every object was read whole. Without all shards nothing is signed at all; where objects
    changed during the scan, it is signed that it is not complete."""


class Statement(Model):
    """The statement, as it is signed."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(default="https://in-toto.io/Statement/v1", alias="_type")
    subject: tuple[Subject, ...] = Field(min_length=1)
    predicate_type: Literal["https://sentinel.dev/attestations/scan/v1"] = "https://sentinel.dev/attestations/scan/v1"
    predicate: Predicate

    def digest_of(self, name: str) -> str:
        """`sha256:…` of the subject of this name; StatementError when there is not exactly one."""
        found = [subject.sha256 for subject in self.subject if subject.name == name]
        if len(found) != 1:
            raise StatementError(f"the statement is not over one {name}, but over {len(found)}")
        return found[0]


def subject(name: str, digest: str) -> Subject:
    """A subject from a digest `sha256:…`."""
    return Subject(name=name, digest={"sha256": digest.removeprefix("sha256:")})


def read_statement(payload: bytes) -> Statement:
    """The statement in a payload whose signature was verified; StatementError says why it is none of ours."""
    try:
        raw = json.loads(payload, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as error:
        raise StatementError(f"what was signed is not a statement: {error}") from error
    kind = raw.get("predicateType") if isinstance(raw, dict) else None
    if kind != PREDICATE_TYPE:
        raise StatementError(f"what was signed is of type {kind!r}, not a statement over a scan ({PREDICATE_TYPE})")
    try:
        return Statement.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise StatementError(f"the statement over the scan is not whole: {problems}") from error


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of a key that is there twice may see two different things."""
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a name is there twice")
    return found
