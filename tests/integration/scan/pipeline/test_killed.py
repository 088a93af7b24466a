"""A shard's pod may die at any moment: the next goes on, no more than a batch is judged twice, and nothing differs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from sentinel_operator.api.scanning import Footer, ResultLine, ScanConfig
from sentinel_workloads.scan.command import TERMINATED
from sentinel_workloads.scan.shard.run import StoppedError
from tests.integration.scan.pipeline.scene import POISON, Scene, rows

pytestmark = pytest.mark.xdist_group("scan")
BATCH = 16
OBJECTS = {
    "a.txt": b"The first of them.",
    "b.jsonl": rows(70) + json.dumps({"text": POISON}).encode() + b"\nnothing\n",
    "c.csv": b"id,text\n" + b"".join(b'%d,"entry ""%d"""\n' % (n, n) for n in range(40)),
    **{f"d/{n}.txt": f"Small text {n}.".encode() for n in range(20)},
    "e.txt": POISON.encode() + b" Again.",
}
SECONDS = 60


async def pod(config: ScanConfig, folder: Path, **environment: str) -> int:
    """One pod to its end; its exit code."""
    file = folder / "scan.json"
    file.write_text(config.model_dump_json(by_alias=True))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.scan.pipeline.killable", "shard"),
        *("--config", str(file), "--index", "0", "--port", "-1"),
        env={**os.environ, "JUDGED": str(folder / "judged"), "TERMINATION_LOG": str(folder / "ended"), **environment},
        cwd=Path(__file__).parents[4],
    )
    async with asyncio.timeout(SECONDS):
        return await process.wait()


def plain(lines: list[ResultLine | Footer]) -> list[ResultLine]:
    """Results without what depends on who had judged before."""
    return [line.model_copy(update={"cached": False}) for line in lines if isinstance(line, ResultLine)]


async def undisturbed(scene: Scene) -> list[ResultLine]:
    config = scene.config(job="calm", shards=1, batch_size=BATCH, quarantine=scene.store("calm-aside/"))
    await scene.plan(config)
    await scene.shard(config)
    return plain(await scene.lines(config, 1))


@pytest.mark.parametrize(
    "moment",
    [
        {"KILL_AT_JUDGEMENT": "1"},
        {"KILL_AT_JUDGEMENT": "40"},
        {"KILL_AT_JUDGEMENT": "130"},
        *({"KILL_AT_PUT": f"{when}-{number}"} for when in ("before", "after") for number in (1, 2, 5, 8)),
    ],
    ids=str,
)
async def test_a_pod_killed_anywhere_costs_a_batch_at_most(
    scene: Scene, tmp_path: Path, moment: dict[str, str]
) -> None:
    await scene.put(OBJECTS)
    calm = await undisturbed(scene)
    config = scene.config(shards=1, batch_size=BATCH)
    await scene.plan(config)
    assert await pod(config, tmp_path, **moment) == -signal.SIGKILL
    assert await pod(config, tmp_path) == 0
    assert plain(await scene.lines(config, 1)) == calm
    judged = Counter((tmp_path / "judged").read_text().split())
    assert sum(count - 1 for count in judged.values()) <= BATCH
    assert sorted(await scene.keys("aside/ml.job/")) == sorted(await scene.keys("calm-aside/ml.calm/"))


async def test_pods_that_all_die_get_there_in_the_end(scene: Scene, tmp_path: Path) -> None:
    await scene.put(OBJECTS)
    calm = await undisturbed(scene)
    config = scene.config(shards=1, batch_size=BATCH)
    await scene.plan(config)
    pods = 1
    while await pod(config, tmp_path, KILL_AT_JUDGEMENT="30"):
        pods += 1
        assert pods < 20
    assert plain(await scene.lines(config, 1)) == calm
    judged = Counter((tmp_path / "judged").read_text().split())
    assert max(judged.values()) <= 2


async def test_a_pod_that_is_asked_to_end_finishes_its_batch(scene: Scene) -> None:
    await scene.put(OBJECTS)
    calm = await undisturbed(scene)
    config = scene.config(shards=1, batch_size=BATCH)
    await scene.plan(config)
    stop = asyncio.Event()
    stop.set()
    parts = 0
    while True:
        try:
            await scene.shard(config, stop=stop)
        except StoppedError:
            parts += 1
            assert len(await scene.keys(f"out/{config.name}/shards/")) == parts
        else:
            break
    assert plain(await scene.lines(config, 1)) == calm
    assert TERMINATED == 128 + signal.SIGTERM


async def test_a_pod_that_is_asked_to_end_by_the_kubelet_loses_nothing(scene: Scene, tmp_path: Path) -> None:
    await scene.put(OBJECTS)
    calm = await undisturbed(scene)
    config = scene.config(shards=1, batch_size=BATCH)
    await scene.plan(config)
    assert await pod(config, tmp_path, ASK_AT_JUDGEMENT="40") == TERMINATED
    assert json.loads((tmp_path / "ended").read_text())["reason"] == "Stopped"
    assert await pod(config, tmp_path) == 0
    assert json.loads((tmp_path / "ended").read_text())["counts"]["documents"] == len(calm)
    assert plain(await scene.lines(config, 1)) == calm
    judged = (tmp_path / "judged").read_text().split()
    assert len(judged) == len(set(judged))


async def test_what_another_detector_has_judged_is_judged_again(scene: Scene) -> None:
    await scene.put({"a.jsonl": rows(100)})
    config = scene.config(shards=1, batch_size=BATCH)
    await scene.plan(config)
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(StoppedError):
        await scene.shard(config, stop=stop)
    assert scene.detector
    scene.detector = _Other(scene.detector)  # type: ignore[assignment]
    await scene.shard(config)
    found = await scene.lines(config, 1)
    assert {line.detector for line in found if isinstance(line, Footer)} == {_Other.digest}
    assert sum(isinstance(line, ResultLine) for line in found) == 100


class _Other:
    digest = "sha256:" + "1" * 64

    def __init__(self, real: object) -> None:
        self.judge, self.describe = real.judge, real.describe  # type: ignore[attr-defined]


async def test_a_broken_last_part_is_judged_again(scene: Scene) -> None:
    await scene.put(OBJECTS)
    calm = await undisturbed(scene)
    config = scene.config(shards=1, batch_size=BATCH)
    await scene.plan(config)
    await scene.shard(config)
    names = sorted(await scene.keys(f"out/{config.name}/shards/00000/"))
    await scene.client.put_object(
        Bucket=scene.bucket, Key=f"out/{config.name}/shards/00000/{names[-1]}", Body=b"\x1f\x8btorn"
    )
    await scene.shard(config)
    assert plain(await scene.lines(config, 1)) == calm
