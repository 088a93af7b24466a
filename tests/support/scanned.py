"""Results of scans and what is made of them, as the tests of reports and proofs need them."""

from __future__ import annotations

from sentinel_operator.api.scanning import Counts, Thresholds
from sentinel_workloads.scan.attest.statement import (
    DATASET,
    DetectorPart,
    Job,
    Policy,
    Predicate,
    Results,
    Source,
    Statement,
    subject,
)

DIGEST = "sha256:" + "ab" * 32


def a_statement() -> Statement:
    """A statement over a scan of three documents."""
    return Statement(
        subject=tuple(subject(name, DIGEST) for name in (DATASET, "report.json", "clean.jsonl")),
        predicate=Predicate(
            job=Job(name="corpus", namespace="ml", requested_by="ada", verified_by="Kubernetes"),
            source=Source(uri="s3://data/corpus/", objects=1, bytes=300),
            results=Results(
                documents=3, merkle_root=DIGEST, lines_digest=DIGEST, counts=Counts(documents=3, clean=2, quarantined=1)
            ),
            policy=Policy(
                thresholds=Thresholds(),
                format="auto",
                text_field="text",
                max_document_bytes=10,
                quarantine_mode="Copy",
                heuristics=True,
            ),
            detector=DetectorPart(digest=DIGEST, description={"rules": {"version": "1"}}),
            verdict="Quarantined",
            started_at="2026-01-01T00:00:00Z",
            finished_at="2026-01-01T00:01:00Z",
        ),
    )
