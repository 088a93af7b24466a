"""`python -m benchmarks.agent`: the agent at one sample a second with 8 GPUs and 110 pods, scraped each 15 s; and the
writes of a thousand nodes, by the rule that each agent goes by, looked at each second."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gates import report
from sentinel_agent.report.pace import Gist, Pace
from sentinel_faultkit import library
from tests.support.agentnode import Node, Running

GPUS, PODS, ON_GPUS = 8, 110, 32
WARM_SECONDS, SCRAPE_EVERY = 5.0, 15
NODES, SIMULATED_SECONDS, SETTLED = 1000, 600, 60
_TICKS = 100  # a second, of every Linux that Kubernetes runs on
_SETTINGS = {
    "SENTINEL_INTERVAL": "1",
    "SENTINEL_SLOW_INTERVAL": "10",
    "SENTINEL_PODS_INTERVAL": "10",
    "MALLOC_ARENA_MAX": "2",  # as in the image, and compiled as there
    "PYTHONDONTWRITEBYTECODE": "",
}


def populate(node: Node) -> None:
    """Puts pods on the node, and four on each GPU."""
    for number in range(PODS):
        name = ("bench", f"pod-{number}", "server")
        node.add_pod(*name, pid=1000 + number)
        if number < ON_GPUS:
            gpu = number % GPUS
            node.gpus.process(gpu, 1000 + number, memory=500, utilization=20)
            node.kubelet.devices[name] = [f"GPU-{gpu:08x}-0000-0000-0000-000000000000::{number}"]
    for gpu in range(GPUS):
        node.gpus.gpu(gpu, utilization=80)


def measure(folder: Path, *, seconds: int) -> dict[str, float]:
    """Gives the agent's cost."""
    node = Node.make(folder, gpus=GPUS)
    try:
        populate(node)
        _compile(node, folder)
        agent = Running(node, {**_SETTINGS, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}, folder=library.build())
        time.sleep(WARM_SECONDS)
        began, before, scrapes = time.monotonic(), _ticks(agent.pid), []
        for second in range(seconds):
            if second % SCRAPE_EVERY == 0:
                asked = time.monotonic()
                agent.get("/metrics")
                scrapes.append(time.monotonic() - asked)
            time.sleep(1)
        share = (_ticks(agent.pid) - before) / _TICKS / (time.monotonic() - began)
        resident = _resident(agent.pid)
        agent.stop()
    finally:
        node.kubelet.stop()
    return {"CPU, % of a core": 100 * share, "resident, MiB": resident, "longest scrape, s": max(scrapes)}


def _compile(node: Node, folder: Path) -> None:
    """The first run compiles, which takes memory that is not given back; an image is compiled when it is built."""
    settings = {**_SETTINGS, "PYTHONPYCACHEPREFIX": str(folder / "compiled"), "SENTINEL_STATE": ""}
    Running(node, settings, folder=library.build()).stop()


def writes_per_second(rng: random.Random) -> float:
    """Gives the writes a second of all nodes while every GPU's utilisation changes all the time."""
    written = 0
    for _ in range(NODES):
        pace, began = Pace(heartbeat=30.0, least_gap=3.0, spread=rng.random()), rng.random()
        for second in range(SIMULATED_SECONDS):
            now, current = began + second, Gist("healthy", rng.randrange(5))
            if pace.due(now, current):
                pace.written(now, current, spread=rng.random())
                written += second >= SETTLED
    return written / (SIMULATED_SECONDS - SETTLED)


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def main() -> int:
    """Gives 0 when every gate holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agent", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), seconds=arguments.seconds)
    figures["writes of 1,000 nodes, /s"] = writes_per_second(random.Random(1))
    return 0 if report("agent", figures) else 1


if __name__ == "__main__":
    sys.exit(main())
