"""Composes the report, and the statement over it, from what one pass over the results gave: values in, values out."""

from __future__ import annotations

from typing import Literal

from sentinel_operator.api.attestation import (
    DATASET,
    DatasetFindings,
    DetectorPart,
    Job,
    Policy,
    Predicate,
    Results,
    Source,
    Statement,
    subject,
)
from sentinel_operator.api.scanning import REPORT, DetectorDescription, ScanConfig
from sentinel_workloads.scan.dataset.conclusion import Conclusion
from sentinel_workloads.scan.report.document import Attested, CleanSet, Report
from sentinel_workloads.scan.report.ledger import Ledger
from sentinel_workloads.scan.report.names import CLEAN


def composed(
    config: ScanConfig, conclusion: Conclusion, ledger: Ledger, *, detector: DetectorDescription, now: str
) -> Report:
    """report.json of this scan."""
    summary, findings = ledger.summary, conclusion.findings
    return Report(
        job=_job(config),
        source=Source(
            uri=config.source.uri, objects=conclusion.objects, bytes=conclusion.bytes, unread=conclusion.unread[0]
        ),
        verdict=_verdict(conclusion),
        counts=conclusion.counts,
        policy=_policy(config),
        detector=DetectorPart(digest=detector.digest, description=detector.description),
        dataset=DatasetFindings(
            flipped_groups=findings.flipped_groups,
            flipped_documents=findings.flipped_documents,
            duplicate_groups=findings.duplicate_groups,
            duplicate_documents=findings.duplicate_documents,
            unknown_objects=findings.unknown_objects,
            absent_objects=findings.absent_objects,
        ),
        examples=(*findings.examples, *conclusion.unread[1]),
        finished_at=now,
        attested=Attested(
            merkle_root=ledger.merkle_root,
            lines_digest=ledger.lines_digest,
            dataset_digest=conclusion.dataset_digest,
        ),
        clean=_clean_set(config, conclusion),
        histogram=tuple(summary.histogram),
        classes=summary.classes(),
        rules=summary.rules(),
        objects=summary.objects.sorted(),
        objects_left_out=summary.objects.left_out,
        worst=summary.worst.sorted(),
        worst_left_out=summary.worst.left_out,
    )


def stated(report: Report, digests: dict[str, str]) -> Statement:
    """The statement over a report; `digests` are those of its files by name."""
    attested = report.attested
    return Statement(
        subject=(
            subject(DATASET, attested.dataset_digest),
            *(subject(name, digest) for name, digest in sorted(digests.items())),
        ),
        predicate=Predicate(
            job=report.job,
            source=report.source,
            results=Results(
                documents=report.counts.documents,
                merkle_root=attested.merkle_root,
                lines_digest=attested.lines_digest,
                counts=report.counts,
                dataset=report.dataset,
            ),
            policy=report.policy,
            detector=report.detector,
            verdict=report.verdict,
            finished_at=report.finished_at,
            complete=report.verdict != "Incomplete",
        ),
    )


def _verdict(conclusion: Conclusion) -> Literal["Clean", "Quarantined", "Incomplete"]:
    if conclusion.unread[0]:
        return "Incomplete"
    return "Quarantined" if conclusion.counts.quarantined or conclusion.counts.failed else "Clean"


def _job(config: ScanConfig) -> Job:
    # Only what runs in a cluster has a uid, and only there somebody authenticated who asked.
    known = bool(config.uid and config.requested_by)
    return Job(
        name=config.name,
        namespace=config.namespace,
        uid=config.uid,
        requested_by=config.requested_by,
        verified_by="Kubernetes" if known else "Nobody",
        requested_at=config.requested_at,
    )


def _policy(config: ScanConfig) -> Policy:
    return Policy(
        thresholds=config.thresholds,
        format=config.reading.format,
        text_field=config.reading.text_field,
        id_field=config.reading.id_field,
        label_field=config.reading.label_field,
        max_document_bytes=config.reading.max_document_bytes,
        quarantine_mode=config.quarantine_mode if config.quarantine else "None",
        heuristics=config.heuristics,
        provenance=config.provenance.uri if config.provenance else "",
    )


def _clean_set(config: ScanConfig, conclusion: Conclusion) -> CleanSet | None:
    if conclusion.clean_file is None:
        return None
    uri = f"{config.output.uri}{REPORT}/{CLEAN}"
    return CleanSet(uri=uri, digest=conclusion.clean_digest, documents=conclusion.allowed)
