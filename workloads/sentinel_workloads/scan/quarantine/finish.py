"""Ends the quarantine: puts aside what only the whole dataset has shown, and moves where moving is wanted."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sentinel_operator.api.scanning import ObjectLine, ResultLine, ScanConfig
from sentinel_workloads.objectstore.failures import ChangedError, CorruptError, MissingError
from sentinel_workloads.scan.dataset.conclusion import Conclusion
from sentinel_workloads.scan.dataset.overruled import FLIPPED, UNKNOWN
from sentinel_workloads.scan.lines import value_of
from sentinel_workloads.scan.quarantine.put import PUT_ASIDE, job_folder, object_name
from sentinel_workloads.scan.store import ObjectStore

log = logging.getLogger(__name__)
_OF_THE_DATASET = {FLIPPED.rule, UNKNOWN.rule}
_ONE_DOCUMENT = {"txt", "unknown"}


async def finish_quarantine(
    config: ScanConfig, conclusion: Conclusion, *, source: ObjectStore, target: ObjectStore
) -> None:
    """After it, every object that is put aside whole has its copy, and with Move no longer lies in the source.

    An object is removed only when its copy is there and it still is what was judged. Rows never leave their object:
    the clean manifest leaves them out. Done again, it does nothing more.
    """
    with tempfile.TemporaryDirectory(prefix="sentinel-quarantine-") as folder:
        pointers = Path(folder) / "rows"
        with pointers.open("wb") as file:
            async for line, known in _put_aside(conclusion):
                shown = _OF_THE_DATASET & {reason.rule for reason in line.reasons}
                if known.format in _ONE_DOCUMENT:
                    await _finish_object(config, known, source=source, target=target, copy=bool(shown))
                elif shown:
                    file.write(_pointer(line))
        if pointers.stat().st_size:
            await target.put(f"{job_folder(config)}rows/dataset.jsonl", pointers)


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


def _pointer(line: ResultLine) -> bytes:
    """A row that its shard took for harmless: where it is, and why it is not allowed."""
    kept: dict[str, Any] = line.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    kept |= {"object": line.object, "row": line.row, "pointer": True}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False).encode() + b"\n"
