"""The commands that prove: a whole report, one document, and the writing of a proof."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sentinel_workloads.scan.attest.outcome import Verification
from sentinel_workloads.scan.attest.proof import NoProofError, prove, read_proof, verify_proof
from sentinel_workloads.scan.attest.replay import BrokenResultsError
from sentinel_workloads.scan.attest.verify import verify_report
from sentinel_workloads.scan.cli.outcome import Exit, Failed
from sentinel_workloads.scan.cli.trust import Trust
from sentinel_workloads.scan.cli.where import HASTY, opened, store_of
from sentinel_workloads.scan.report.excerpt import plain
from sentinel_workloads.scan.store import open_store


async def verify(place: str, trust: Trust, *, dataset: str = "", endpoint: str = "") -> Exit:
    """Proves the report at the place."""
    verifier = trust.verifier()
    async with opened(place, endpoint=endpoint) as store:
        if not dataset:
            return said(await verify_report(store, verifier))
        source = store_of(dataset, endpoint=endpoint)
        async with open_store(source, field=dataset, retry=HASTY) as scanned:
            return said(await verify_report(store, verifier, dataset=scanned))


async def verify_document(document: Path, proof: Path, trust: Trust) -> Exit:
    """Proves the verdict on one document by its proof."""
    verifier = trust.verifier()
    try:
        read = read_proof(content_of(proof))
        found = verify_proof(read, verifier, document=content_of(document))
    except NoProofError as error:
        raise Failed(f"{proof}: {error}") from error
    code = said(found)
    if found.ok:
        print(f"{plain(read.leaf.object)} #{read.leaf.row}: {read.leaf.verdict}, risk {read.leaf.risk}")
    return code


async def write_proof(place: str, key: str, *, row: int | None, output: Path | None, endpoint: str = "") -> Exit:
    """Writes the proof for a document of the report at the place."""
    async with opened(place, endpoint=endpoint) as store:
        try:
            proof = await prove(store, key, row=row)
        except (NoProofError, BrokenResultsError) as error:
            raise Failed(str(error)) from error
    written = f"{proof.model_dump_json(by_alias=True, indent=2)}\n"
    if output is None:
        sys.stdout.write(written)
        return Exit.OK
    write(output, written)
    return Exit.OK


def content_of(path: Path) -> bytes:
    """A file's bytes."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error


def write(path: Path, text: str) -> None:
    """Writes a file."""
    try:
        path.write_text(text)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error


def said(found: Verification) -> Exit:
    """Says every check, and how the whole ended."""
    console = Console(highlight=False, soft_wrap=True)
    width = max(len(check.name) for check in found.checks)
    for check in found.checks:
        mark = Text("ok  ", style="green") if check.ok else Text("FAIL", style="bold red")
        console.print(mark, Text(check.name.ljust(width)), Text(plain(check.said)), sep=" ")
    if found.ok and found.statement:
        predicate = found.statement.predicate
        asked = predicate.job.requested_by
        who = f", asked for by {asked}" if asked else ""
        unknown = " (not authenticated)" if asked and predicate.job.verified_by == "Nobody" else ""
        console.print(Text(f"proven: {predicate.verdict}, {plain(predicate.source.uri)}{plain(who)}{unknown}"))
        return Exit.OK
    console.print(Text("NOT proven", style="bold red"))
    return Exit.NO
