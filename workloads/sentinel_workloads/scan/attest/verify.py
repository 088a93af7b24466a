"""Proves a report, or says what of it is not as it was signed. Nobody is asked over the network but the store."""

from __future__ import annotations

import hashlib

from sentinel_operator.api.attestation import DATASET, Statement, StatementError, read_statement
from sentinel_operator.api.scanning import REPORT, Counts
from sentinel_workloads.objectstore.failures import MissingError
from sentinel_workloads.scan.attest.dataset import check_dataset, check_objects
from sentinel_workloads.scan.attest.outcome import Verification
from sentinel_workloads.scan.attest.replay import BrokenResultsError, leaves_digest, replay
from sentinel_workloads.scan.report.names import BUNDLE, LEAVES
from sentinel_workloads.scan.store import ObjectStore
from sentinel_workloads.signature.bundle import MAX_BUNDLE_BYTES, RejectedError
from sentinel_workloads.signature.statements import StatementVerifier


async def report_prefix(store: ObjectStore) -> str:
    """Where in the store the report lies: in the folder itself, or in the one that a job calls `report`."""
    return f"{REPORT}/" if await store.head(f"{REPORT}/{BUNDLE}") else ""


async def verify_report(
    store: ObjectStore, verifier: StatementVerifier, *, dataset: ObjectStore | None = None
) -> Verification:
    """Every check of the report in the store; with a dataset, also that it is the one that was scanned."""
    found, prefix = Verification(), await report_prefix(store)
    try:
        bundle = await store.get(f"{prefix}{BUNDLE}", limit=MAX_BUNDLE_BYTES)
    except MissingError:
        found.refuted("signature", f"there is no {BUNDLE}: this report is not signed, or not finished")
        return found
    except ValueError as error:
        found.refuted("signature", str(error))
        return found
    if not (statement := signed_statement(bundle, verifier, found)):
        return found
    await _check_files(store, prefix, statement, found)
    await _check_results(store, prefix, statement, found)
    await check_objects(store, prefix, statement, found)
    if dataset:
        await check_dataset(store, prefix, dataset, found)
    return found


def signed_statement(bundle: bytes, verifier: StatementVerifier, found: Verification) -> Statement | None:
    """The statement in the bundle, if it is signed as it must be and whole; the checks are noted either way."""
    try:
        signed = verifier.verify(bundle)
    except RejectedError as error:
        found.refuted("signature", str(error))
        return None
    found.identity = signed.identity
    found.proven("signature", f"signed by {signed.identity}")
    try:
        statement = read_statement(signed.payload)
    except StatementError as error:
        found.refuted("statement", str(error))
        return None
    found.statement = statement
    if statement.predicate.complete:
        found.proven("complete", "every object was read whole and every document judged or quarantined")
    else:
        found.refuted("complete", f"{statement.predicate.source.unread} objects could not be read whole")
    return statement


async def _check_files(store: ObjectStore, prefix: str, statement: Statement, found: Verification) -> None:
    """The files that are subjects of the statement, by their digests."""
    for subject in statement.subject:
        if subject.name == DATASET:
            continue
        digest = hashlib.sha256()
        try:
            async for chunk in store.read(f"{prefix}{subject.name}"):
                digest.update(chunk)
        except MissingError:
            found.refuted(subject.name, "is not there")
            continue
        found.expect(subject.name, found=f"sha256:{digest.hexdigest()}", signed=subject.sha256)


async def _check_results(store: ObjectStore, prefix: str, statement: Statement, found: Verification) -> None:
    """Every result against the root of the tree, the counts and the thresholds."""
    signed, thresholds = statement.predicate.results, statement.predicate.policy.thresholds
    try:
        results = await replay(store, prefix, thresholds)
        leaves = await leaves_digest(store, prefix)
    except (BrokenResultsError, MissingError) as error:
        found.refuted("results", str(error))
        return
    found.expect(
        "Merkle root",
        found=f"{results.merkle_root} over {results.documents:,} documents",
        signed=f"{signed.merkle_root} over {signed.documents:,} documents",
    )
    found.expect("results", found=results.lines_digest, signed=signed.lines_digest)
    found.expect("counts", found=_counted(results.verdicts), signed=_counted(signed.counts))
    if results.misjudged:
        found.refuted("thresholds", f"the verdict is milder than the risk allows: {', '.join(results.misjudged)}")
    else:
        found.proven("thresholds", f"quarantine from {thresholds.quarantine}, elevated from {thresholds.elevated}")
    if leaves == (results.documents, results.leaves_digest):
        found.proven(LEAVES, "are the leaves of the results")
    else:
        found.refuted(LEAVES, "are not the leaves of the results")


def _counted(counts: Counts) -> str:
    return (
        f"{counts.clean:,} clean, {counts.elevated:,} elevated, {counts.quarantined:,} quarantined, "
        f"{counts.failed:,} not judged; {counts.cached:,} from the cache"
    )
