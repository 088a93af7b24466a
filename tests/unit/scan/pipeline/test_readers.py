"""Readers: however an object is cut, and wherever it is gone on with, its documents are the same."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import AsyncGenerator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sentinel_operator.api.scanning import ObjectLine, Reading, Work
from sentinel_workloads.scan.plan.cut import byte_ranges, group_ranges, shard_count, work_cost
from sentinel_workloads.scan.plan.formats import format_of
from sentinel_workloads.scan.readers.document import EXHAUSTED, Document
from sentinel_workloads.scan.readers.opened import open_reader
from sentinel_workloads.scan.readers.quoting import Quoting
from sentinel_workloads.scan.store.local import LocalStore

READING = Reading(max_document_bytes=4096)
ON_DISK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def documents(folder: Path, work: Work, *, offset: int = 0) -> tuple[list[Document], str]:
    reader = open_reader(LocalStore(f"file://{folder}/", field="spec.source"), work, READING, offset=offset)
    return [document async for document in reader.documents()], reader.sha256


def line_of(path: Path) -> ObjectLine:
    name = path.name
    return ObjectLine(object=name, size=path.stat().st_size, format=format_of(name, READING))


LINES = st.lists(
    st.one_of(
        st.builds(lambda text: json.dumps({"text": text}, ensure_ascii=False).encode(), st.text(max_size=40)),
        st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b" ")),
        st.just(b""),
        st.just(b"\r"),
        st.just(b'{"text": "' + b"x" * 9000 + b'"}'),
    ),
    max_size=30,
)


@ON_DISK
@given(lines=LINES, ends=st.booleans(), cuts=st.integers(1, 9), chunk=st.sampled_from([1, 7, 64, 1 << 18]))
async def test_ranges_of_lines_give_each_document_once(
    tmp_path: Path, lines: list[bytes], ends: bool, cuts: int, chunk: int
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines) + (b"\n" if ends else b""))
    size = path.stat().st_size
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sentinel_workloads.scan.store.local.CHUNK_BYTES", chunk)
        patch.setattr("sentinel_workloads.scan.readers.stream.strange_kind", lambda head: "")
        whole, sha256 = await documents(tmp_path, Work(object="a.jsonl", size=size, format="jsonl"))
        assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        bounds = sorted({size * index // cuts for index in range(cuts + 1)})
        found = []
        for start, end in pairwise(bounds):
            work = Work(object="a.jsonl", size=size, format="jsonl", start=start, end=end)
            part, digest = await documents(tmp_path, work)
            assert digest == ("" if start else sha256)
            found += part
    assert [document.digest for document in found] == [document.digest for document in whole]
    assert len({document.row for document in found}) == len(found)


@ON_DISK
@given(lines=LINES, place=st.floats(0, 1))
async def test_reading_goes_on_where_any_document_ended(tmp_path: Path, lines: list[bytes], place: float) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sentinel_workloads.scan.readers.stream.strange_kind", lambda head: "")
        work = Work(object="a.jsonl", size=path.stat().st_size, format="jsonl")
        whole, sha256 = await documents(tmp_path, work)
        if not whole:
            return
        index = int(place * (len(whole) - 1))
        rest, digest = await documents(tmp_path, work, offset=whole[index].next_offset)
    assert rest == whole[index + 1 :]
    assert digest == sha256


@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz", "a.parquet", "a.jsonl.gz", "a.txt"])
async def test_each_format_goes_on_and_knows_its_digest(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(content_of(name))
    line = line_of(tmp_path / name)
    work = Work(object=name, size=line.size, format=line.format)
    whole, sha256 = await documents(tmp_path, work)
    assert sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert whole
    for index, document in enumerate(whole):
        assert document.fault is None
        assert await documents(tmp_path, work, offset=document.next_offset) == (whole[index + 1 :], sha256)
    assert await documents(tmp_path, work, offset=EXHAUSTED) == ([], sha256)


def content_of(name: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if name.endswith("parquet"):
        file = io.BytesIO()
        pq.write_table(pa.table({"text": [f"row {number}" for number in range(17)]}), file, row_group_size=4)
        return file.getvalue()
    if "csv" in name:
        return b'n,text\n1,"a\n""b"""\n2,c\n'
    if "tsv" in name:
        return gzip.compress(b'n\ttext\n1\t"a\n""b"""\n2\tc, d\n')
    if "jsonl" in name:
        return gzip.compress(b'{"text": "a"}\n\n{"text": "b"}\n')
    return b"A text."


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet='a",\n', max_size=40), st.integers(1, 5))
@example('a"b\n,"c"d\n"e', 1)
def test_quotes_are_followed_as_the_csv_module_does(text: str, step: int) -> None:
    quoting, records, current = Quoting(b","), [], ""
    for line in text.split("\n"):
        for at in range(0, len(line), step):
            quoting.feed(line[at : at + step].encode())
        current += line
        if quoting.line_ends_record():
            records.append(current)
            current = ""
        else:
            current += "\n"
    ours = [next(csv.reader([record]), []) for record in records]
    theirs = list(csv.reader(io.StringIO(text + "\n", newline="")))
    # What is still within quotes at the end is a record to the csv module; here it is an unclosed one.
    assert ours == theirs[: len(ours)]
    assert len(theirs) - len(ours) <= (1 if current else 0)


@given(st.integers(1, 10**12), st.integers(1, 10**10))
def test_ranges_are_all_of_an_object_and_none_is_too_dear(size: int, target: int) -> None:
    target = max(target, size // 1000)
    line = ObjectLine(object="a.jsonl", size=size, format="jsonl")
    works = list(byte_ranges(line, target=target))
    if works[0].end < 0:
        assert len(works) == 1
        return
    assert [work.start for work in works] == [0, *(work.end for work in works[:-1])]
    assert works[-1].end == size
    assert max(work_cost(work, line, 0) for work in works) <= max(target + 1, 2 * 1024**2)


@given(st.lists(st.integers(1, 1000), max_size=50), st.integers(1, 3000))
def test_row_groups_are_all_there_in_order(sizes: list[int], target: int) -> None:
    line = ObjectLine(object="a.parquet", size=10, format="parquet")
    works = list(group_ranges(line, sizes, target=target))
    if len(sizes) > 1:
        assert [work.start for work in works] == [0, *(work.end for work in works[:-1])]
        assert works[-1].end == len(sizes)
        assert all(sum(sizes[work.start : work.end]) <= target or work.end - work.start == 1 for work in works)


@pytest.mark.parametrize(
    ("cost", "wanted", "count"), [(1, 0, 1), (24 * 1024**2 + 1, 0, 2), (2**50, 0, 1000), (1, 7, 7)]
)
def test_shards_take_minutes_each_but_for_the_largest_datasets(cost: int, wanted: int, count: int) -> None:
    assert shard_count(cost, wanted=wanted) == count


class Endless(LocalStore):
    """An object of one line that does not end for a gibibyte."""

    async def read(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str = ""
    ) -> AsyncGenerator[bytes, None]:
        assert (start, end) == (0, None)
        yield b'{"text": "'
        chunk = b"x" * (1 << 18)
        for _ in range(1 << 12):
            yield chunk
        yield b'"}\n{"text": "after"}\n'


async def test_a_line_of_a_gibibyte_passes_without_being_held(tmp_path: Path) -> None:
    import tracemalloc

    work = Work(object="a.jsonl", size=2**30 + 32, format="jsonl")
    reader = open_reader(Endless(f"file://{tmp_path}/", field="spec.source"), work, READING, offset=0)
    tracemalloc.start()
    found = [document async for document in reader.documents()]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(document.fault and document.fault.rule, document.text) for document in found] == [
        ("too-large", ""),
        (None, "after"),
    ]
    assert peak < 16 * 2**20


class WithoutLines(LocalStore):
    """An object in the middle of a line, and how much of it was read."""

    given = 0

    async def read(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str = ""
    ) -> AsyncGenerator[bytes, None]:
        chunk = b"x" * (1 << 18)
        for _ in range(1 << 11):
            self.given += len(chunk)
            yield chunk


async def test_a_range_within_one_long_line_is_read_no_further_than_its_own_end(tmp_path: Path) -> None:
    start, size = 512 * 2**20, 2**20
    work = Work(object="a.jsonl", size=2**30 + 32, format="jsonl", start=start, end=start + size)
    store = WithoutLines(f"file://{tmp_path}/", field="spec.source")
    reader = open_reader(store, work, READING, offset=start)
    assert [document async for document in reader.documents()] == []
    assert store.given < 8 * size
