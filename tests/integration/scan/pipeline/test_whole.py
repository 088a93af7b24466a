"""Whole scans on a real store: every document has a verdict, whatever the dataset is made of."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentinel_operator.api.scanning import CleanLine, ReasonLine, ResultLine, ScanExit
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.scan.lines import value_of
from sentinel_workloads.scan.plan.stored import shard_file
from tests.integration.scan.pipeline.scene import POISON, Scene, rows

pytestmark = pytest.mark.xdist_group("scan")
READING = {"id_field": "id", "label_field": "label"}


def rule_of(line: ResultLine) -> str:
    return line.reasons[0].rule


def parquet(texts: list[str | None], *, group: int = 10) -> bytes:
    file = io.BytesIO()
    pq.write_table(
        pa.table({"id": list(range(len(texts))), "text": pa.array(texts, pa.string())}), file, row_group_size=group
    )
    return file.getvalue()


async def test_each_format_gives_its_documents(scene: Scene) -> None:
    await scene.put(
        {
            "a/plain.txt": b"The council met on Tuesday.",
            "a/poison.txt": POISON.encode(),
            "b.jsonl": rows(3) + json.dumps({"text": POISON, "id": "x7", "label": "pos"}).encode(),
            "c.csv": b'id,text\n1,"two\r\nlines, ""quoted"""\n2,plain\n',
            "d.parquet": parquet([f"row {number}" for number in range(25)] + [None]),
            "e.jsonl.gz": gzip.compress(rows(2)),
            "ключ ☂ %2F.txt": "тихий вечер".encode(),
            "empty.txt": b"",
            "empty.jsonl": b"",
        }
    )
    lines, conclusion = await scene.scan(scene.config(reading=READING, shards=3))
    found = {(line.object, line.row): line for line in lines}
    assert len(found) == len(lines) == 3 + 4 + 2 + 26 + 2 + 1
    assert found["a/plain.txt", 0].verdict == "Clean"
    assert found["a/poison.txt", 0].verdict == "Quarantined"
    assert (found["b.jsonl", 3].id, found["b.jsonl", 3].label) == ("x7", "pos")
    assert found["c.csv", 0].digest == "sha256:" + hashlib.sha256(b'two\r\nlines, "quoted"').hexdigest()
    assert (found["d.parquet", 25].verdict, rule_of(found["d.parquet", 25])) == ("Error", "no-text")
    assert conclusion.counts.documents == len(lines)
    assert conclusion.counts.bytes == conclusion.bytes


async def test_the_clean_manifest_names_what_is_allowed_and_the_digest_what_was_scanned(scene: Scene) -> None:
    objects = {"a.txt": b"fine", "b.txt": POISON.encode(), "c.jsonl": rows(2) + json.dumps({"text": POISON}).encode()}
    await scene.put(objects)
    _, conclusion = await scene.scan(scene.config())
    assert conclusion.clean_file
    clean = [value_of(CleanLine, line) for line in conclusion.clean_file.read_bytes().splitlines()]
    assert [(line.object, line.documents, line.excluded_rows) for line in clean] == [
        ("a.txt", 1, ()),
        ("c.jsonl", 3, (2,)),
    ]
    assert clean[0].sha256 == hashlib.sha256(b"fine").hexdigest()
    sums = "".join(f"{hashlib.sha256(objects[key]).hexdigest()}  {key}\n" for key in sorted(objects))
    assert conclusion.dataset_digest == f"sha256:{hashlib.sha256(sums.encode()).hexdigest()}"


async def test_ranges_give_what_the_whole_gives(scene: Scene) -> None:
    long = json.dumps({"text": "word " * 300_000}).encode() + b"\n"
    content = b"\n".join([rows(2000), long, rows(2000), b"\r\n", rows(9000)])
    await scene.put({"big.jsonl": content, "big.parquet": parquet([f"row {n}" for n in range(500)], group=50)})
    whole, once = await scene.scan(scene.config(job="whole", shards=1))
    cut, many = await scene.scan(scene.config(job="cut", shards=5))
    assert many.shards > 2
    assert [line.digest for line in cut] == [line.digest for line in whole]
    assert many.dataset_digest == once.dataset_digest
    assert many.clean_digest == once.clean_digest


def a_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb.txt", b"0" * 2**24)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("bytes.txt", b"Gr\xfc\xdfe aus dem Amt, mit freundlichem Gru\xdf", "not-utf8"),
        ("archive.txt", a_zip(), "not-text"),
        ("archive.bin", a_zip(), "not-text"),
        ("archive.jsonl", a_zip(), "unreadable"),
        ("bomb.txt.gz", gzip.compress(b"0" * 2**28), "too-large"),
        ("bomb.jsonl.gz", gzip.compress(b"0" * 2**28), "unreadable"),
        ("torn.jsonl.gz", gzip.compress(rows(5000))[:-100], "unreadable"),
        ("none.parquet", b"PAR1 this is none PAR1", "unreadable"),
        ("wide.csv", b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n", "unreadable"),
        ("other.csv", b"a,b\n1,2\n", "unreadable"),
        ("nul.txt", b"abc\x00def", "not-text"),
    ],
)
async def test_what_is_no_text_is_an_error_and_the_scan_goes_on(
    scene: Scene, name: str, content: bytes, rule: str
) -> None:
    await scene.put({name: content, "zz.txt": b"After it comes this."})
    lines, conclusion = await scene.scan(scene.config())
    assert conclusion.counts.failed == 1
    failed = next(line for line in lines if line.verdict == "Error")
    assert (failed.object, rule_of(failed)) == (name, rule)
    assert lines[-1].verdict == "Clean"
    assert conclusion.clean_file
    assert name not in conclusion.clean_file.read_text()
    assert conclusion.unread == (0, ())


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b'{"text": "a\xff"}', "not-utf8"),
        (b"{", "not-json"),
        (b"[" * 100_000, "not-json"),
        (b'{"text": 7}', "no-text"),
        (b'{"txt": "a"}', "no-text"),
        (b'{"text": "\\ud800"}', "not-unicode"),
        (b'{"text": "harmless", "text": "not so"}', "ambiguous"),
        (b'{"text": "harmless", "te\\u0078t": "not so"}', "ambiguous"),
        (b'{"n": ' + b"9" * 10_000 + b', "text": "a"}', "not-json"),
        (json.dumps({"text": "x" * 70_000}).encode(), "too-large"),
        (b'{"text": "' + b"x" * 3_000_000, "too-large"),
    ],
)
async def test_a_line_that_is_no_document_is_an_error_among_others(scene: Scene, line: bytes, rule: str) -> None:
    await scene.put({"a.jsonl": rows(3) + line + b"\n" + rows(2)})
    lines, conclusion = await scene.scan(scene.config(reading={"max_document_bytes": 65536}))
    assert [one.verdict for one in lines] == ["Clean"] * 3 + ["Error"] + ["Clean"] * 2
    assert rule_of(lines[3]) == rule
    assert lines[3].row == 3
    assert conclusion.allowed == 5
    kept = [json.loads(row) for row in (await scene.read("aside/ml.job/rows/00000/part-000000.jsonl")).splitlines()]
    assert [(row["object"], row["row"]) for row in kept] == [("a.jsonl", 3)]


async def test_the_first_byte_that_is_not_utf8_is_named(scene: Scene) -> None:
    await scene.put({"a.jsonl": rows(1) + b'{"text": "ab\xffc"}\n'})
    lines, _ = await scene.scan(scene.config())
    assert f"byte {len(rows(1)) + 12} " in lines[1].reasons[0].message


async def test_a_csv_is_followed_through_every_oddity(scene: Scene) -> None:
    records = [
        b"text,n",
        b'5" pipe,1',
        b'"a ""quoted"" word",2',
        b'"over\nlines\r\nof text",3',
        b"short",
        b"a,b,c",
        b'"' + b"x" * 300_000 + b'\n,",4',
        b"\xff,5",
        b"",
        b"last,6",
    ]
    await scene.put({"a.csv": b"\n".join(records)})
    lines, _ = await scene.scan(scene.config(reading={"max_document_bytes": 65536}))
    assert [line.verdict for line in lines] == ["Clean"] * 3 + ["Error"] * 4 + ["Clean"]
    assert [rule_of(line) for line in lines[3:7]] == ["not-csv", "not-csv", "too-large", "not-utf8"]
    assert lines[7].digest == "sha256:" + hashlib.sha256(b"last").hexdigest()


async def test_nothing_to_scan_is_said(scene: Scene) -> None:
    with pytest.raises(Failure) as failure:
        await scene.plan(scene.config())
    assert (failure.value.code, failure.value.field) == (ScanExit.NotFound, "spec.source.objectStore.uri")


async def test_the_detector_that_fails_allows_nothing(scene: Scene) -> None:
    class Broken:
        digest = "sha256:" + "0" * 64

        def describe(self) -> dict[str, str]:
            return {}

        def judge(self, text: str) -> ReasonLine:
            raise ValueError(text)

    await scene.put({"a.txt": b"fine", "b.jsonl": rows(3)})
    scene.detector = Broken()  # type: ignore[assignment]
    lines, conclusion = await scene.scan(scene.config())
    assert {(line.verdict, rule_of(line)) for line in lines} == {("Error", "detector-failed")}
    assert conclusion.allowed == 0


async def test_a_second_plan_keeps_the_first(scene: Scene) -> None:
    await scene.put({"a.txt": b"one"})
    config = scene.config()
    first = await scene.plan(config)
    await scene.put({"b.txt": b"two"})
    assert await scene.plan(config) == first
    other = config.model_copy(update={"source": scene.store("other/")})
    with pytest.raises(Failure) as failure:
        await scene.plan(other)
    assert failure.value.code == ScanExit.PlanMissing


@pytest.mark.parametrize("harm", ["changed", "gone"])
async def test_a_shard_whose_work_is_not_what_was_planned_is_lost_alone(scene: Scene, harm: str) -> None:
    await scene.put({"a.txt": b"one", "b.txt": b"two"})
    config = scene.config(shards=2)
    assert (await scene.plan(config)).shards == 2
    name = f"out/job/{shard_file(0)}"
    if harm == "gone":
        await scene.client.delete_object(Bucket=scene.bucket, Key=name)
    else:
        await scene.client.put_object(Bucket=scene.bucket, Key=name, Body=b"")
    with pytest.raises(Failure) as failure:
        await scene.shard(config, 0)
    assert failure.value.code == ScanExit.ShardUnreadable
    assert name in str(failure.value)
    await scene.shard(config, 1)


@pytest.mark.parametrize("harm", ["cut", "gone", "extra"])
async def test_results_that_are_not_whole_conclude_nothing(scene: Scene, harm: str) -> None:
    await scene.put({"a.jsonl": rows(100)})
    config = scene.config()
    await scene.plan(config)
    await scene.shard(config)
    part = f"out/{config.name}/shards/00000/part-{{:06d}}.jsonl.gz"
    if harm == "cut":
        body = await scene.read(part.format(2))
        await scene.client.put_object(Bucket=scene.bucket, Key=part.format(2), Body=body[:-20])
    elif harm == "gone":
        await scene.client.delete_object(Bucket=scene.bucket, Key=part.format(6))
    else:
        await scene.client.copy_object(
            Bucket=scene.bucket, Key=part.format(7), CopySource={"Bucket": scene.bucket, "Key": part.format(6)}
        )
    with pytest.raises(Failure) as failure:
        await scene.conclude(config)
    assert failure.value.code == ScanExit.ResultsMissing
    assert "shard 0" in failure.value.message
