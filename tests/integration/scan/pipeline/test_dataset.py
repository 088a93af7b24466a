"""What only the whole dataset shows, the cache across jobs, and what lies in quarantine at the end."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest

from sentinel_operator.api.scanning import ResultLine, ScanExit
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.scan.cache.compact import compact
from sentinel_workloads.scan.store import open_store
from tests.integration.scan.pipeline.scene import HASTY, POISON, Scene, rows

pytestmark = pytest.mark.xdist_group("scan")


def labelled(*documents: tuple[str, str]) -> bytes:
    return b"".join(json.dumps({"text": text, "label": label}).encode() + b"\n" for text, label in documents)


async def test_the_same_text_under_other_labels_is_quarantined(scene: Scene) -> None:
    await scene.put(
        {
            "a.jsonl": labelled(("The film was dull.", "neg"), ("The film was dull.", "neg"), ("A fine day.", "pos")),
            "b.jsonl": labelled(("The film was dull.", "pos"), ("The film was dull.", ""), ("Two sides.", "x")),
            "c.jsonl": labelled(("Two sides.", "y"), ("Alone.", "pos")),
        }
    )
    lines, conclusion = await scene.scan(scene.config(reading={"label_field": "label"}))
    put_aside = {(line.object, line.row): line.reasons[-1].attack for line in lines if line.verdict == "Quarantined"}
    assert put_aside == {("b.jsonl", 0): "label-flip", ("b.jsonl", 2): "label-flip", ("c.jsonl", 0): "label-flip"}
    assert all(line.risk >= 70 for line in lines if line.verdict == "Quarantined")
    found = conclusion.findings
    assert (found.flipped_groups, found.flipped_documents) == (2, 3)
    assert (found.duplicate_groups, found.duplicate_documents) == (2, 4)
    assert (conclusion.counts.quarantined, conclusion.allowed) == (3, 5)


@pytest.mark.parametrize("shards", [1, 4])
async def test_rows_with_other_labels_are_put_aside_with_their_texts(scene: Scene, shards: int) -> None:
    flipped = labelled(("The film was dull.", "pos"))
    await scene.put(
        {
            "a.jsonl": labelled(*[("The film was dull.", "neg")] * 3),
            "b.jsonl": rows(20_000) + b"\n" + flipped + rows(20_000) + flipped,
            "c.csv": b"text,label\nThe film was dull.,neg\nThe film was dull.,pos\n",
        }
    )
    config = scene.config(reading={"label_field": "label"}, shards=shards, batch_size=2048)
    lines, conclusion = await scene.scan(config)
    await scene.finish(config, conclusion)
    kept = [json.loads(row) for row in (await scene.read("aside/ml.job/rows/dataset.jsonl")).splitlines()]
    assert [(row["object"], row["text"]) for row in kept] == [
        (name, "The film was dull.") for name in ("b.jsonl", "b.jsonl", "c.csv")
    ]
    assert conclusion.counts.quarantined == len(kept) == sum(line.verdict == "Quarantined" for line in lines)


async def test_objects_of_unknown_provenance_are_quarantined(scene: Scene) -> None:
    objects = {"a b.txt": b"known", "b.txt": b"changed since", "c.jsonl": rows(3), "d.txt": b"nobody knows"}
    await scene.put(objects)
    known = {**objects, "b.txt": b"as it was", "gone.txt": b"gone"}
    sums = "".join(f"{hashlib.sha256(known[key]).hexdigest()}  ./{key}\n" for key in known if key != "d.txt")
    await scene.client.put_object(Bucket=scene.bucket, Key="SHA256SUMS", Body=sums.encode())
    config = scene.config(provenance=scene.store("SHA256SUMS"))
    lines, conclusion = await scene.scan(config)
    assert {line.object for line in lines if line.verdict == "Quarantined"} == {"b.txt", "d.txt"}
    assert (conclusion.findings.unknown_objects, conclusion.findings.absent_objects) == (2, 1)
    await scene.finish(config, conclusion)
    assert await scene.read("aside/ml.job/objects/d.txt") == b"nobody knows"


async def test_a_provenance_file_that_is_none_is_named(scene: Scene) -> None:
    await scene.put({"a.txt": b"a"})
    await scene.client.put_object(Bucket=scene.bucket, Key="SHA256SUMS", Body=b"# hand-made\n")
    with pytest.raises(Failure) as failure:
        await scene.scan(scene.config(provenance=scene.store("SHA256SUMS")))
    assert (failure.value.code, failure.value.field) == (ScanExit.InvalidConfig, "spec.source.provenance")
    assert "line 1" in failure.value.message


async def test_a_second_job_takes_its_judgements_from_the_cache(scene: Scene) -> None:
    await scene.put({"a.jsonl": rows(50), "b.txt": POISON.encode()})
    scene.fields = {"cache": scene.store("cache/")}
    first, _ = await scene.scan(scene.config(job="first"))
    await scene.put({"c.txt": b"A text that is new."})
    second, conclusion = await scene.scan(scene.config(job="second"))
    plain = [line.model_copy(update={"cached": False}) for line in second if line.object != "c.txt"]
    assert plain == first
    assert (conclusion.counts.cached, conclusion.counts.documents) == (51, 52)
    strict, _ = await scene.scan(scene.config(job="strict", thresholds={"quarantine": 1, "elevated": 0}))
    assert {line.verdict for line in strict if line.cached} == {"Elevated", "Quarantined"}


async def test_a_broken_segment_is_judged_again_and_an_old_one_not_used(scene: Scene) -> None:
    await scene.put({"a.jsonl": rows(50)})
    scene.fields = {"cache": scene.store("cache/")}
    await scene.scan(scene.config(job="first"))
    (name,) = await scene.keys("cache/")
    body = await scene.read(f"cache/{name}")
    broken = body[:200] + bytes([body[200] ^ 1]) + body[201:]
    await scene.client.put_object(Bucket=scene.bucket, Key=f"cache/{name}", Body=broken)
    _, conclusion = await scene.scan(scene.config(job="second"))
    assert (conclusion.counts.cached, conclusion.counts.clean) == (0, 50)
    _, conclusion = await scene.scan(scene.config(job="third", cache_ttl_seconds=-60))
    assert conclusion.counts.cached == 0


async def test_many_segments_become_one_that_knows_all(scene: Scene) -> None:
    scene.fields = {"cache": scene.store("cache/")}
    for number in range(9):
        await scene.put({"a.txt": f"Text number {number}.".encode()})
        _, conclusion = await scene.scan(scene.config(job=f"job-{number}"))
    assert len(await scene.keys("cache/")) == 9
    async with open_store(scene.store("cache/"), field="spec.cache", retry=HASTY) as cache:
        await compact(cache, detector=conclusion.detector, ttl_seconds=3600, now=time.time())
    assert len(await scene.keys("cache/")) == 1
    await scene.put({f"{number}.txt": f"Text number {number}.".encode() for number in range(9)})
    _, conclusion = await scene.scan(scene.config(job="last"))
    assert conclusion.counts.cached == conclusion.counts.documents == 10


async def test_moving_takes_out_what_was_put_aside_whole_and_nothing_else(scene: Scene) -> None:
    objects = {"a.txt": b"fine", "b.txt": POISON.encode(), "c.txt": b"\xff\xfe\xfd", "d.jsonl": rows(2) + b"nothing\n"}
    await scene.put(objects)
    config = scene.config(quarantine_mode="Move")
    _, conclusion = await scene.scan(config)
    await scene.put({"c.txt": b"Somebody has mended it."})
    await scene.finish(config, conclusion)
    await scene.finish(config, conclusion)
    assert sorted(await scene.keys("data/")) == ["a.txt", "c.txt", "d.jsonl"]
    assert await scene.read("aside/ml.job/objects/b.txt") == objects["b.txt"]
    assert await scene.read("aside/ml.job/objects/c.txt") == objects["c.txt"]


@pytest.mark.parametrize("mode", ["Copy", "Move"])
async def test_a_folder_of_this_machine_is_scanned_alike(scene: Scene, tmp_path: Path, mode: str) -> None:
    objects = {"a.txt": b"fine", "deep/b.txt": POISON.encode(), "c.jsonl": rows(5), "d.csv": b"text\none\ntwo\n"}
    await scene.put(objects)
    there, at_store = await scene.scan(scene.config())
    for key, content in objects.items():
        path = tmp_path / "data" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    local = scene.config(
        source={"uri": f"file://{tmp_path}/data/"},
        output={"uri": f"file://{tmp_path}/out/"},
        quarantine={"uri": f"file://{tmp_path}/aside/"},
        quarantine_mode=mode,
    )
    here, on_disk = await scene.scan(local)
    assert [as_leaf(line) for line in here] == [as_leaf(line) for line in there]
    assert on_disk.dataset_digest == at_store.dataset_digest
    await scene.finish(local, on_disk)
    assert (tmp_path / "data/deep/b.txt").exists() == (mode == "Copy")
    assert (tmp_path / "aside/ml.job/objects/deep/b.txt").read_bytes() == POISON.encode()


def as_leaf(line: ResultLine) -> tuple[str, int, str, str, int]:
    return line.object, line.row, line.digest, line.verdict, line.risk
