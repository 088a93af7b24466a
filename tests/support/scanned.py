"""Results of scans and what is made of them, as the tests of reports and proofs need them."""

from __future__ import annotations

from typing import Any

from sentinel_operator.api.attestation import (
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
from sentinel_operator.api.scanning import Counts, ResultLine, Thresholds
from sentinel_workloads.scan.report.document import Attested, Report
from sentinel_workloads.scan.report.summary import Summary

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
            finished_at="2026-01-01T00:01:00Z",
            complete=True,
        ),
    )


def a_result(**fields: Any) -> ResultLine:
    """The verdict on one document."""
    return ResultLine(**{"object": "a.txt", "digest": DIGEST, "verdict": "Clean", "risk": 10, **fields})


def a_report(
    *lines: ResultLine,
    name: str = "corpus",
    uri: str = "s3://data/corpus/",
    requested_by: str = "",
    detector: str = DIGEST,
) -> Report:
    """The report of a scan with these results."""
    summary = Summary()
    for line in lines:
        summary.add(line)
    predicate = a_statement().predicate
    return Report(
        job=predicate.job.model_copy(update={"name": name, "requested_by": requested_by}),
        source=predicate.source.model_copy(update={"uri": uri}),
        verdict="Quarantined" if summary.verdicts["Quarantined"] else "Clean",
        counts=summary.counts(read_bytes=0),
        policy=predicate.policy,
        detector=DetectorPart(digest=detector),
        finished_at=predicate.finished_at,
        attested=Attested(merkle_root=DIGEST, lines_digest=DIGEST, dataset_digest=DIGEST),
        histogram=tuple(summary.histogram),
        classes=summary.classes(),
        rules=summary.rules(),
        objects=summary.objects.sorted(),
        worst=summary.worst.sorted(),
    )
