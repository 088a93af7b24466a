"""Writes the files of a report, the signed statement over them last.

A second run of the step, after its pod was killed, gives the same results under a new signature: the old signature is
taken away first, so that none ever lies beside files it is not over.
"""

from __future__ import annotations

import asyncio
import hashlib

from sentinel_operator.api.scanning import REPORT, ReportOutcome, ScanConfig, ScanExit
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.scan.attest.canonical import canonical_model
from sentinel_workloads.scan.attest.sign import Signature, Signer, SigningError
from sentinel_workloads.scan.dataset.conclusion import Conclusion
from sentinel_workloads.scan.report.bom import bill_of_materials
from sentinel_workloads.scan.report.compose import stated
from sentinel_workloads.scan.report.document import Report
from sentinel_workloads.scan.report.ledger import Ledger
from sentinel_workloads.scan.report.names import BOM, BUNDLE, CLEAN, LEAVES, OBJECTS, REPORT_HTML, REPORT_JSON, RESULTS
from sentinel_workloads.scan.report.page import page
from sentinel_workloads.scan.store import ObjectStore


async def publish(
    config: ScanConfig,
    output: ObjectStore,
    conclusion: Conclusion,
    ledger: Ledger,
    *,
    report: Report,
    signer: Signer | None,
) -> ReportOutcome:
    """What is told of the report that now lies there; SigningFailed when nobody could sign it."""
    await output.delete(f"{REPORT}/{BUNDLE}")
    small = {
        REPORT_JSON: report.model_dump_json(by_alias=True, indent=1).encode(),
        REPORT_HTML: page(report).encode(),
        BOM: bill_of_materials(report),
    }
    large = {RESULTS: ledger.results_file, LEAVES: ledger.leaves_file, OBJECTS: conclusion.objects_file}
    if conclusion.clean_file:
        large[CLEAN] = conclusion.clean_file
    for name, file in large.items():
        await output.put(f"{REPORT}/{name}", file)
    for name, body in small.items():
        await output.put(f"{REPORT}/{name}", body)
    digests = {name: f"sha256:{hashlib.sha256(body).hexdigest()}" for name, body in small.items()}
    if conclusion.clean_file:
        digests[CLEAN] = conclusion.clean_digest
    signature, identity = "", ""
    if signer:
        signed = await _signed(signer, canonical_model(stated(report, digests)))
        await output.put(f"{REPORT}/{BUNDLE}", signed.bundle)
        signature, identity = f"{config.output.uri}{REPORT}/{BUNDLE}", signed.identity
    return ReportOutcome(
        verdict=report.verdict,
        counts=report.counts,
        uri=f"{config.output.uri}{REPORT}/{REPORT_JSON}",
        digest=digests[REPORT_JSON],
        dataset_digest=conclusion.dataset_digest,
        clean_digest=digests.get(CLEAN, ""),
        detector_digest=conclusion.detector,
        merkle_root=ledger.merkle_root,
        signature=signature,
        identity=identity,
    )


async def _signed(signer: Signer, statement: bytes) -> Signature:
    try:
        return await asyncio.to_thread(signer.sign, statement)
    except SigningError as error:
        raise Failure(ScanExit.SigningFailed, error.field, str(error)) from error
