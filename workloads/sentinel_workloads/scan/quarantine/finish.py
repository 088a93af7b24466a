"""Ends the quarantine: puts aside what only the whole dataset has shown, and moves where moving is wanted."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from sentinel_operator.api.scanning import ObjectLine, ResultLine, ScanConfig
from sentinel_workloads.objectstore.failures import ChangedError, CorruptError, MissingError
from sentinel_workloads.scan.dataset.conclusion import Conclusion
from sentinel_workloads.scan.dataset.overruled import FLIPPED, UNKNOWN
from sentinel_workloads.scan.lines import value_of
from sentinel_workloads.scan.quarantine.again import Again
from sentinel_workloads.scan.quarantine.put import PUT_ASIDE, job_folder, object_name, row_of
from sentinel_workloads.scan.store import ObjectStore

log = logging.getLogger(__name__)
_OF_THE_DATASET = {FLIPPED.rule, UNKNOWN.rule}
_ONE_DOCUMENT = {"txt", "unknown"}


async def finish_quarantine(
    config: ScanConfig, conclusion: Conclusion, *, source: ObjectStore, target: ObjectStore, cut: frozenset[str]
) -> None:
    """After it, everything that is put aside has its copy, and with Move no object that is lies in the source whole.

    An object is removed only when its copy is there and it still is what was judged. Rows never leave their object:
    the clean manifest leaves them out. Done again, it does nothing more. `cut`: the objects that were judged in parts.
    """
    again = Again(source, config.reading, cut=cut)
    with tempfile.TemporaryDirectory(prefix="sentinel-quarantine-") as folder:
        rows = Path(folder) / "rows"
        with rows.open("wb") as file:
            last = ""
            async for line, known in _put_aside(conclusion):
                shown = _OF_THE_DATASET & {reason.rule for reason in line.reasons}
                if known.format in _ONE_DOCUMENT or UNKNOWN.rule in shown:
                    if last != known.object:
                        await _finish_object(config, known, source=source, target=target, copy=bool(shown))
                    last = known.object
                elif shown:
                    file.write(row_of(await again.find(known, line), line))
        await again.close()
        if rows.stat().st_size:
            await target.put(f"{job_folder(config)}rows/dataset.jsonl", rows)


async def _put_aside(conclusion: Conclusion) -> AsyncIterator[tuple[ResultLine, ObjectLine]]:
    """The documents that are put aside, with their objects."""
    with conclusion.objects_file.open("rb") as file:
        objects = (value_of(ObjectLine, line) for line in file)
        known: ObjectLine | None = None
        async for line in conclusion.lines():
            if line.verdict in PUT_ASIDE:
                if known is None or known.object != line.object:
                    known = next(found for found in objects if found.object == line.object)
                yield line, known


async def _finish_object(
    config: ScanConfig, known: ObjectLine, *, source: ObjectStore, target: ObjectStore, copy: bool
) -> None:
    name = object_name(config, known.object)
    try:
        if copy and not await target.copy_from(source, known.object, to=name, etag=known.etag):
            return
        if config.quarantine_mode == "Move" and known.sha256:
            there = await target.head(name)
            if there and there.size == known.size:
                await source.delete(known.object, etag=known.etag)
    except (ChangedError, CorruptError, MissingError) as error:
        log.warning("not put aside: it is no longer what was judged", extra={"fault": str(error)})
