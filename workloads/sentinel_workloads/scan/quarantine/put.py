"""Puts the quarantined documents of a batch aside, under names that a repeated batch writes again."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

from sentinel_operator.api.scanning import ResultLine, ScanConfig
from sentinel_workloads.objectstore.failures import ChangedError, CorruptError, MissingError
from sentinel_workloads.scan.readers.document import Document
from sentinel_workloads.scan.store import ObjectStore

PUT_ASIDE = frozenset({"Quarantined", "Error"})
AT_ONCE = 8


def job_folder(config: ScanConfig) -> str:
    """This job's own folder below the quarantine's prefix."""
    return f"{config.namespace}.{config.name}-{config.uid[:8]}/" if config.uid else f"{config.namespace}.{config.name}/"


def object_name(config: ScanConfig, key: str) -> str:
    """Where the copy of an object lies."""
    return f"{job_folder(config)}objects/{key}"


def rows_name(config: ScanConfig, shard: int, part: int) -> str:
    """Where the rows of a batch lie."""
    return f"{job_folder(config)}rows/{shard:05d}/part-{part:06d}.jsonl"


class Quarantine:
    """Where a shard puts documents aside."""

    def __init__(self, config: ScanConfig, *, source: ObjectStore, target: ObjectStore, etags: dict[str, str]) -> None:
        self._config, self._source, self._target, self._etags = config, source, target, etags
        """`etags`: of the objects that the shard works on."""

    async def put(self, shard: int, part: int, batch: Sequence[tuple[Document, ResultLine]]) -> None:
        """Puts aside what of the batch has to be; when it returns, it is there."""
        chosen = [(document, line) for document, line in batch if line.verdict in PUT_ASIDE]
        rows: list[tuple[str, int, bytes]] = []
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(document: Document, line: ResultLine) -> None:
            async with slots:
                if document.whole and await self._copied(document.object):
                    return
            rows.append((line.object, line.row, row_of(document, line)))

        await asyncio.gather(*(one(document, line) for document, line in chosen))
        if rows:
            body = b"".join(row for _, _, row in sorted(rows))
            await self._target.put(rows_name(self._config, shard, part), body)

    async def _copied(self, key: str) -> bool:
        """Copies an object; one that is gone, changed or too large leaves a row that says where it was."""
        try:
            to = object_name(self._config, key)
            return await self._target.copy_from(self._source, key, to=to, etag=self._etags.get(key, ""))
        except (ChangedError, CorruptError, MissingError):
            return False


def row_of(document: Document | None, line: ResultLine) -> bytes:
    """A row as it is kept: with the text, or the raw bytes, or a word that it is where it was."""
    kept: dict[str, Any] = line.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    kept |= {"object": line.object, "row": line.row}
    kept.pop("excerpt", None)
    kept.pop("excerptStart", None)
    if document is not None and document.fault is None:
        kept["text"] = document.text
    elif document is not None and document.raw:
        kept["raw"] = base64.b64encode(document.raw).decode()
    else:
        kept["pointer"] = True  # too large to be kept, or gone
    return json.dumps(kept, sort_keys=True, ensure_ascii=False).encode() + b"\n"
