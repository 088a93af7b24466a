"""What is kept on disk and in stores comes back as it was, or is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_operator.api.scanning import Counts, Footer, ReasonLine, ResultLine, ScanExit, ScanFailure, SpanLine
from sentinel_operator.api.serving import Retry
from sentinel_workloads.objectstore.credentials import mounted_credentials
from sentinel_workloads.objectstore.failures import ChangedError, Failure, MissingError
from sentinel_workloads.scan.cache.segment import (
    BrokenSegmentError,
    Segment,
    packed_judgement,
    unpacked_judgement,
    write_segment,
)
from sentinel_workloads.scan.judged import Judged
from sentinel_workloads.scan.lines import UnreadablePartError, packed, unpacked
from sentinel_workloads.scan.spill import Sorter
from sentinel_workloads.scan.store import open_store
from sentinel_workloads.scan.store.local import LocalStore
from sentinel_workloads.scan.termination import MAX_BYTES, rendered

DETECTOR = "sha256:" + "a" * 64
RECORDS = st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=300)), max_size=200)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(RECORDS, st.integers(200, 20_000))
def test_more_than_memory_holds_is_sorted(records: list[tuple[bytes, bytes]], run_bytes: int) -> None:
    with Sorter(run_bytes=run_bytes) as sorter:
        for key, value in records:
            sorter.add(key, value)
        assert list(sorter) == sorted(records)
        both = zip(sorter, sorter, strict=True)
        assert all(one == other for one, other in both)


def test_many_runs_are_merged_on_the_way() -> None:
    with Sorter(run_bytes=1) as sorter:
        for number in range(500):
            sorter.add((number * 7919 % 500).to_bytes(2, "big"), b"x" * 1000)
        assert [int.from_bytes(key, "big") for key, _ in sorter] == list(range(500))


JUDGED = st.builds(
    Judged,
    risk=st.integers(0, 100),
    heuristic=FINITE,
    embedding=st.none() | FINITE,
    fingerprint=st.just("") | st.binary(min_size=32, max_size=32).filter(any).map(bytes.hex),
    reasons=st.lists(
        st.builds(
            ReasonLine,
            rule=st.text(max_size=5),
            attack=st.text(max_size=5),
            weight=FINITE,
            spans=st.lists(st.builds(SpanLine, start=st.integers(0, 9), end=st.integers(0, 9))).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
)


@given(JUDGED)
def test_a_judgement_comes_back_from_the_cache_bit_for_bit(found: Judged) -> None:
    assert unpacked_judgement(packed_judgement(found)) == found


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(st.binary(min_size=32, max_size=32), st.binary(min_size=1, max_size=50), min_size=1))
def test_a_segment_finds_what_is_in_it_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[bytes, bytes]
) -> None:
    path = tmp_path_factory.mktemp("segment") / "a.seg"
    write_segment(path, sorted(entries.items()), count=len(entries), detector=DETECTOR)
    segment = Segment(path, detector=DETECTOR)
    assert {key: segment.find(key) for key in entries} == entries
    assert list(segment.entries()) == sorted(entries.items())
    for number in range(20):
        absent = hashlib.sha256(bytes([number])).digest()
        assert segment.find(absent) == entries.get(absent)


@pytest.mark.parametrize("at", [0, 9, 20, 50, 90, -1])
def test_a_segment_with_one_wrong_bit_is_refused(tmp_path: Path, at: int) -> None:
    path = tmp_path / "a.seg"
    write_segment(path, [(b"k" * 32, b"value")], count=1, detector=DETECTOR)
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(BrokenSegmentError):
        Segment(path, detector=DETECTOR)


@pytest.mark.parametrize("size", [0, 10, 80])
def test_a_segment_that_is_cut_off_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.seg"
    write_segment(path, [(b"k" * 32, b"value")], count=1, detector=DETECTOR)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(BrokenSegmentError):
        Segment(path, detector=DETECTOR)


def test_a_segment_of_another_detector_is_refused(tmp_path: Path) -> None:
    write_segment(tmp_path / "a.seg", [(b"k" * 32, b"value")], count=1, detector=DETECTOR)
    with pytest.raises(BrokenSegmentError):
        Segment(tmp_path / "a.seg", detector="sha256:" + "b" * 64)


def a_part() -> bytes:
    lines = [ResultLine(object="a", row=row, digest=DETECTOR, verdict="Clean", risk=row) for row in range(3)]
    footer = Footer(shard=0, part=0, detector=DETECTOR, lines=3, next_work=1, next_offset=0, counts=Counts(documents=3))
    return packed(lines, footer)


def test_a_part_comes_back_and_is_the_same_each_time() -> None:
    lines, footer = unpacked(a_part(), name="part")
    assert ([line.risk for line in lines], footer.counts.documents) == ([0, 1, 2], 3)
    assert a_part() == a_part()


@given(st.integers(0, 10_000))
def test_a_part_that_is_cut_off_is_refused(cut: int) -> None:
    part = a_part()
    with pytest.raises(UnreadablePartError, match="part"):
        unpacked(part[: cut % len(part)], name="part")


@pytest.mark.parametrize("text", ["x" * 9000, "é" * 9000, '"' * 9000, "\x00" * 9000, "short"])
def test_a_termination_message_is_json_that_kubernetes_does_not_cut(text: str) -> None:
    raw = rendered(ScanFailure(reason="NotFound", field="spec.source", message=text))
    assert len(raw.encode()) <= MAX_BYTES
    assert json.loads(raw)["reason"] == "NotFound"


async def test_a_folder_keeps_what_is_put_there(tmp_path: Path) -> None:
    store = LocalStore(f"file://{tmp_path}/a b/", field="spec.output")
    assert await store.put("x/ü.txt", b"one")
    assert not await store.put("x/ü.txt", b"two", only_new=True)
    assert await store.get("x/ü.txt", limit=3) == b"one"
    with pytest.raises(ValueError, match="more than 2"):
        await store.get("x/ü.txt", limit=2)
    found = [item async for item in store.list("x/")]
    assert [(item.key, item.size) for item in found] == [("x/ü.txt", 3)]
    await store.put("x/ü.txt", b"three")
    with pytest.raises(ChangedError):
        await store.get("x/ü.txt", limit=9, etag=found[0].etag)
    with pytest.raises(ChangedError):
        await store.delete("x/ü.txt", etag=found[0].etag)
    await store.delete("x/ü.txt")
    await store.delete("x/ü.txt")
    with pytest.raises(MissingError):
        await store.get("x/ü.txt", limit=9)
    assert await store.head("x/ü.txt") is None


@pytest.mark.parametrize("key", ["../a", "/etc/passwd", "a/../../b", ""])
async def test_nothing_is_kept_outside_the_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(Failure, match="leads out"):
        await LocalStore(f"file://{tmp_path}/", field="spec.quarantine").put(key, b"x")


@pytest.mark.parametrize("uri", ["https://a/b/", "", "/data/"])
async def test_an_address_of_no_store_is_named(uri: str) -> None:
    from sentinel_operator.api.scanning import Store

    with pytest.raises(Failure) as failure:
        async with open_store(Store(uri=uri), field="spec.source.objectStore", retry=Retry()):
            pass
    assert (failure.value.code, failure.value.field) == (ScanExit.InvalidConfig, "spec.source.objectStore.uri")


def test_credentials_come_from_the_mounted_secret(tmp_path: Path) -> None:
    (tmp_path / "AWS_ACCESS_KEY_ID").write_text("id\n")
    with pytest.raises(Failure, match="AWS_SECRET_ACCESS_KEY") as failure:
        mounted_credentials(str(tmp_path), field="spec.source.objectStore")
    assert failure.value.code == ScanExit.AccessDenied
    (tmp_path / "AWS_SECRET_ACCESS_KEY").write_text("secret")
    found = mounted_credentials(str(tmp_path), field="spec.source.objectStore")
    assert found == {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}
