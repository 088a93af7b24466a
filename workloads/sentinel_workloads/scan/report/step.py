"""The report step: one pass over all results, then everything that is made of it, and the signature last."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from sentinel_operator.api.scanning import (
    DETECTOR,
    DetectorDescription,
    ReportOutcome,
    ScanConfig,
    ScanExit,
)
from sentinel_workloads.objectstore.failures import Failure, MissingError
from sentinel_workloads.scan.attest.sign import Signer, SigningError, signer_of
from sentinel_workloads.scan.dataset.conclude import conclude
from sentinel_workloads.scan.dataset.conclusion import Conclusion
from sentinel_workloads.scan.lines import value_of
from sentinel_workloads.scan.plan.stored import require_plan
from sentinel_workloads.scan.report.compose import composed
from sentinel_workloads.scan.report.ledger import Ledger, kept
from sentinel_workloads.scan.report.publish import publish
from sentinel_workloads.scan.report.webhook import told
from sentinel_workloads.scan.store import ObjectStore, open_store

log = logging.getLogger(__name__)
MAX_DESCRIPTION_BYTES = 1 << 20
OUTPUT, PROVENANCE = "spec.output.objectStore", "spec.source.provenance"


def now() -> datetime:
    """The time that stands in the statement."""
    return datetime.now(UTC)


async def nothing(_: Conclusion) -> None:
    """What there is to do before a conclusion is signed, where nothing is."""


async def run(
    config: ScanConfig,
    *,
    clock: Callable[[], datetime] = now,
    concluded: Callable[[Conclusion], Awaitable[None]] = nothing,
) -> ReportOutcome:
    """The report of a scan whose shards are done; ResultsMissing or SigningFailed when there can be none.

    `concluded` acts on the conclusion before anything is signed: it puts aside what the whole dataset has shown.
    """
    signer = await _signer(config)
    async with AsyncExitStack() as stack:
        output = await stack.enter_async_context(open_store(config.output, field=OUTPUT, retry=config.retry))
        provenance: ObjectStore | None = None
        if config.provenance:
            opened = open_store(config.provenance, field=PROVENANCE, retry=config.retry)
            provenance = await stack.enter_async_context(opened)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sentinel-report-")))
        plan = await require_plan(output, source=config.source.uri)
        conclusion = await conclude(config, output=output, provenance=provenance, plan=plan, folder=folder)
        ledger = await kept(conclusion.lines(), folder)
        _agree(conclusion, ledger)
        await concluded(conclusion)
        detector = await _description(output, conclusion.detector)
        at = clock().isoformat(timespec="seconds").replace("+00:00", "Z")
        report = composed(config, conclusion, ledger, detector=detector, now=at)
        outcome = await publish(config, output, conclusion, ledger, report=report, signer=signer)
    if config.webhook and (why := await told(config.webhook, outcome)):
        return outcome.model_copy(update={"untold": why})
    return outcome


async def _signer(config: ScanConfig) -> Signer | None:
    """Asked for before anything is read: a key that is no key shall not cost hours."""
    try:
        return await asyncio.to_thread(signer_of, config.signing)
    except SigningError as error:
        raise Failure(ScanExit.SigningFailed, error.field, str(error)) from error


def _agree(conclusion: Conclusion, ledger: Ledger) -> None:
    """Two counts of the same results, made apart, must not differ."""
    counted = ledger.summary.counts(read_bytes=conclusion.counts.bytes)
    if counted != conclusion.counts:
        message = f"the results changed while they were put together: {counted} now, {conclusion.counts} before"
        raise Failure(ScanExit.ResultsMissing, "", message)


async def _description(output: ObjectStore, digest: str) -> DetectorDescription:
    """What the detector said of itself; nothing but its digest where that is another's."""
    try:
        found = value_of(DetectorDescription, await output.get(DETECTOR, limit=MAX_DESCRIPTION_BYTES))
    except (MissingError, ValueError):
        return DetectorDescription(digest=digest)
    return found if found.digest == digest else DetectorDescription(digest=digest)
