"""The reader of a part of an object."""

from __future__ import annotations

from sentinel_operator.api.scanning import Reading, Work
from sentinel_workloads.scan.readers.csvfile import CsvFile
from sentinel_workloads.scan.readers.document import EXHAUSTED, Reader
from sentinel_workloads.scan.readers.jsonl import JsonLines
from sentinel_workloads.scan.readers.whole import DigestOnly, WholeObject
from sentinel_workloads.scan.store import ObjectStore


def open_reader(store: ObjectStore, work: Work, reading: Reading, *, offset: int) -> Reader:
    """Reads the documents of the part from the offset on."""
    if offset >= EXHAUSTED:
        return DigestOnly(store, work)
    match work.format:
        case "jsonl":
            return JsonLines(store, work, reading, offset=offset)
        case "csv":
            return CsvFile(store, work, reading, offset=offset)
        case "parquet":
            from sentinel_workloads.scan.readers.columns import ParquetRows  # noqa: PLC0415 - 35 MiB of memory

            return ParquetRows(store, work, reading, offset=offset)
        case "txt" | "unknown":
            return WholeObject(store, work, reading)
