"""Demands the signed report of a scan over what the model was trained on, before anything of the model is brought.

The statement alone is read: its signature vouches for the rest of the report. Where the report's store cannot be
reached the model is not handed over, whatever the cache holds.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path

from sentinel_operator.api.attestation import DATASET, STATEMENT_FILE, Statement, StatementError, read_statement
from sentinel_operator.api.serving import ExitCode, FetchConfig, Retry, ScanRequirement
from sentinel_workloads.fetch.transfer import Allowance, bring
from sentinel_workloads.objectstore.credentials import mounted_credentials
from sentinel_workloads.objectstore.failures import ChangedError, Failure, TransientError
from sentinel_workloads.objectstore.retry import Patience
from sentinel_workloads.signature.bundle import MAX_BUNDLE_BYTES, RejectedError
from sentinel_workloads.signature.statements import SignedStatement, StatementVerifier, statement_verifier

log = logging.getLogger(__name__)
FIELD = "spec.model.requireScan"
REPORT_FIELD = f"{FIELD}.report"


async def demand_scan(config: FetchConfig, required: ScanRequirement) -> None:
    """Returns when the report is there and says what it must; else ScanMissing, ScanInvalid, or why not read."""
    verifiers = await asyncio.to_thread(_verifiers, required)
    bundle = await _brought(required, config.retry)
    name, signed = await asyncio.to_thread(_accepted, bundle, verifiers)
    try:
        statement = read_statement(signed.payload)
        _check(statement, required)
    except StatementError as error:
        raise Failure(ExitCode.ScanInvalid, REPORT_FIELD, str(error)) from error
    extra = {"authority": name, "identity": signed.identity, "dataset": statement.digest_of(DATASET)}
    log.info("what the model was trained on was scanned", extra=extra)


def _verifiers(required: ScanRequirement) -> list[tuple[str, StatementVerifier]]:
    """The authorities with their trust material read; InvalidConfig names the one that cannot be."""
    verifiers = []
    for index, authority in enumerate(required.authorities):
        try:
            verifiers.append((authority.name, statement_verifier(authority)))
        except Exception as error:
            message = f"authority {authority.name!r} cannot be used: {' '.join(str(error).split())}"
            raise Failure(ExitCode.InvalidConfig, f"{FIELD}.authorities[{index}]", message) from error
    return verifiers


async def _brought(required: ScanRequirement, retry: Retry) -> bytes:
    """The bundle as it lies in the store now; ScanMissing where it does not."""
    patience = Patience(retry)
    while True:
        try:
            with tempfile.TemporaryDirectory(prefix="sentinel-scan-") as folder:
                return await _bring_once(required, retry, Path(folder) / STATEMENT_FILE)
        except ChangedError as change:
            await patience.wait(TransientError(str(change), field=f"{REPORT_FIELD}.uri"))
        except Failure as failure:
            if failure.code != ExitCode.NotFound:
                raise
            message = f"there is no signed report of a scan: {failure.message}"
            raise Failure(ExitCode.ScanMissing, f"{REPORT_FIELD}.uri", message) from failure


async def _bring_once(required: ScanRequirement, retry: Retry, target: Path) -> bytes:
    from sentinel_workloads.fetch.s3 import s3_source  # noqa: PLC0415 - botocore takes a second

    uri = f"{required.uri}{STATEMENT_FILE}" if required.uri.endswith("/") else required.uri
    place = FetchConfig(uri=uri, object_store=required.object_store, retry=retry)
    credentials = mounted_credentials(required.credentials_dir, field=REPORT_FIELD)
    async with s3_source(place, field=REPORT_FIELD, credentials=credentials) as source:
        (remote,) = await source.listing()
        await bring(source, remote, target, allowance=Allowance(MAX_BUNDLE_BYTES), patience=Patience(retry))
    return await asyncio.to_thread(target.read_bytes)


def _accepted(bundle: bytes, verifiers: list[tuple[str, StatementVerifier]]) -> tuple[str, SignedStatement]:
    """The first authority that accepts the bundle, and what it signed; ScanInvalid with every reason otherwise."""
    reasons = []
    for name, verifier in verifiers:
        try:
            return name, verifier.verify(bundle)
        except RejectedError as error:
            reasons.append(f"{name}: {error}")
    message = f"no authority accepts the report's signature: {'; '.join(reasons)}"
    raise Failure(ExitCode.ScanInvalid, f"{FIELD}.authorities", message)


def _check(statement: Statement, required: ScanRequirement) -> None:
    """Raises ScanInvalid for a report that was signed, but does not do."""
    found, verdict = statement.digest_of(DATASET), statement.predicate.verdict
    if required.dataset_digest and found != required.dataset_digest:
        message = f"the report is over the dataset {found}, not {required.dataset_digest}"
        raise Failure(ExitCode.ScanInvalid, f"{FIELD}.datasetDigest", message)
    if not statement.predicate.complete or verdict == "Incomplete":
        message = "the scan is not complete: objects changed or vanished while they were read"
        raise Failure(ExitCode.ScanInvalid, REPORT_FIELD, message)
    if verdict == "Quarantined" and required.verdict == "Clean":
        counts = statement.predicate.results.counts
        message = f"the scan's verdict is Quarantined: {counts.quarantined + counts.failed} of its documents"
        raise Failure(ExitCode.ScanInvalid, f"{FIELD}.verdict", message)
