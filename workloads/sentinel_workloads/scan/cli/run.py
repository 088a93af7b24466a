"""Scans a dataset in this process: the steps of a ScanJob, one after another, with the same results."""

from __future__ import annotations

import asyncio
import getpass
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sentinel_operator.api.scanning import (
    REPORT,
    Reading,
    ReportOutcome,
    ScanConfig,
    Signing,
    Store,
    Thresholds,
)
from sentinel_workloads.scan import command
from sentinel_workloads.scan.cli.bar import Bar
from sentinel_workloads.scan.cli.outcome import Exit, Failed
from sentinel_workloads.scan.cli.show import MAX_REPORT_BYTES, print_report
from sentinel_workloads.scan.cli.where import HASTY, path_of, store_of
from sentinel_workloads.scan.opened import Stores, open_detector, open_stores
from sentinel_workloads.scan.plan.make import make_plan
from sentinel_workloads.scan.report.document import Report
from sentinel_workloads.scan.report.names import REPORT_JSON
from sentinel_workloads.scan.shard.run import run_shard

EMBEDDING, CLASSIFIER = "scan-embedding", "scan-classifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asked to be scanned, and how."""

    place: str
    output: str
    reading: Reading
    thresholds: Thresholds
    signing: Signing
    endpoint: str = ""
    name: str = ""
    quarantine: str = ""
    move: bool = False
    heuristics: bool = True
    model_dir: Path | None = None
    embedding: Path | None = None
    classifier: Path | None = None
    cache: str = ""
    provenance: str = ""
    threads: int = 0
    worst: int = 10
    quiet: bool = False


async def run(asked: Asked) -> Exit:
    """Scans, reports, and says so; goes on where an earlier run with the same output was ended."""
    config = config_of(asked)
    check(config)
    detector = await asyncio.to_thread(open_detector, config)
    with Bar(quiet=asked.quiet) as bar:
        async with open_stores(config) as stores:
            if await stores.output.head(f"{REPORT}/{REPORT_JSON}"):
                raise Failed(f"{asked.output} holds a report already: name another folder with --output")
            bar.step("listing")
            plan = await make_plan(config, source=stores.source, output=stores.output)
            bar.begin(plan.bytes)
            for index in range(plan.shards):
                with tempfile.TemporaryDirectory(prefix="sentinel-shard-") as folder:
                    shard = await command.prepared(
                        config, stores, index=index, folder=Path(folder), detector=detector, stop=asyncio.Event()
                    )
                    async with bar.watching(shard.tally):
                        await run_shard(shard)
        bar.step("putting together")
        outcome, _ = await command.report(config, port=-1)
    assert isinstance(outcome, ReportOutcome)  # noqa: S101 - narrows what a pod may leave
    async with open_stores(config) as stores:
        print_report(await _report(stores), worst=asked.worst)
    say_where(config, outcome)
    return Exit.OK if outcome.verdict == "Clean" else Exit.NO


def config_of(asked: Asked) -> ScanConfig:
    """The scan as its steps know it."""
    source = store_of(asked.place, endpoint=asked.endpoint)
    return ScanConfig(
        name=asked.name or Path(urlsplit(source.uri).path.rstrip("/")).name or "scan",
        namespace="local",
        requested_by=getpass.getuser() if hasattr(os, "getuid") else "",
        requested_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        source=source,
        reading=asked.reading,
        output=store_of(asked.output, endpoint=asked.endpoint, folder=True),
        quarantine=_optional(asked.quarantine, asked.endpoint),
        quarantine_mode=_mode(asked),
        cache=_optional(asked.cache, asked.endpoint),
        provenance=store_of(asked.provenance, endpoint=asked.endpoint) if asked.provenance else None,
        heuristics=asked.heuristics,
        embedding_dir=str(_model(asked.embedding, asked.model_dir, EMBEDDING) or ""),
        classifier_dir=str(_model(asked.classifier, asked.model_dir, CLASSIFIER) or ""),
        thresholds=asked.thresholds,
        threads=asked.threads or os.cpu_count() or 1,
        signing=asked.signing,
        retry=HASTY,
    )


def check(config: ScanConfig) -> None:
    """Refuses what would scan its own output, or could not judge."""
    source = path_of(config.source)
    for store, flag in ((config.output, "--output"), (config.quarantine, "--quarantine"), (config.cache, "--cache")):
        if store and _within(store, config.source, source):
            raise Failed(f"{flag} lies within what is scanned: the next scan would scan this one")
    if bool(config.embedding_dir) != bool(config.classifier_dir):
        raise Failed("--embedding and --classifier belong together")
    if not config.heuristics and not config.embedding_dir:
        raise Failed("without rules and without models nothing can be judged: give --embedding and --classifier")


def say_where(config: ScanConfig, outcome: ReportOutcome) -> None:
    """Where the report lies, and who signed it."""
    root = path_of(config.output)
    print(f"report: {root / REPORT if root else config.output.uri + REPORT}")
    print(f"signed by {outcome.identity}" if outcome.identity else "not signed: give --key to make it provable")


def _optional(place: str, endpoint: str) -> Store | None:
    return store_of(place, endpoint=endpoint, folder=True) if place else None


def _mode(asked: Asked) -> Literal["Copy", "Move", "None"]:
    if not asked.quarantine:
        return "None"
    return "Move" if asked.move else "Copy"


def _model(given: Path | None, folder: Path | None, name: str) -> Path | None:
    """The folder of a model: the one given, or the newest version below the folder of models."""
    if given or folder is None:
        return given
    versions = sorted((folder / name).glob("*/"), key=lambda path: _numbers(path.name))
    if not versions:
        raise Failed(f"{folder} holds no {name}")
    return versions[-1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else -1 for part in version.split("."))


def _within(store: Store, source: Store, folder: Path | None) -> bool:
    if folder is None:
        return store.uri.startswith(source.uri if source.uri.endswith("/") else f"{source.uri}/")
    path = path_of(store)
    return path is not None and folder.is_dir() and path.resolve().is_relative_to(folder.resolve())


async def _report(stores: Stores) -> Report:
    return Report.model_validate_json(await stores.output.get(f"{REPORT}/{REPORT_JSON}", limit=MAX_REPORT_BYTES))
