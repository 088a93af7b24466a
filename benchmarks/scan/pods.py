"""The pods of a ScanJob as processes: plan, then the shards on both cores, then the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentinel_operator.api.scanning import ScanConfig

SHARDS = 2
Pod = tuple[str, subprocess.Popen[bytes]]


@dataclass(frozen=True, slots=True)
class Ran:
    """A whole scan."""

    plan_seconds: float
    shard_seconds: float
    report_seconds: float
    cpu_seconds: float
    """Of all pods, on whatever core."""
    peak_mib: float
    """Resident, of the shard that took most."""
    report_mib: float
    documents: int
    cached: int
    quarantined: int

    @property
    def seconds(self) -> float:
        """From the first process' start to the last one's end."""
        return self.plan_seconds + self.shard_seconds + self.report_seconds

    @property
    def per_minute(self) -> float:
        """Documents."""
        return self.documents / self.seconds * 60


def scan(config: ScanConfig, folder: Path, environment: dict[str, str]) -> Ran:
    """Runs all pods; raises RuntimeError with the log of one that fails."""
    folder.mkdir()
    (folder / "scan.json").write_text(config.model_dump_json(by_alias=True))
    start = time.perf_counter()
    plan = _ended(_started("plan", folder, environment), folder)
    planned = time.perf_counter()
    shards = json.loads((folder / "plan.ended").read_text())["shards"]
    pods = [_started("shard", folder, environment, index) for index in range(shards)]
    used = [_ended(pod, folder) for pod in pods]
    judged = time.perf_counter()
    report = _ended(_started("report", folder, environment), folder)
    counts: dict[str, Any] = json.loads((folder / "report.ended").read_text())["counts"]
    return Ran(
        plan_seconds=planned - start,
        shard_seconds=judged - planned,
        report_seconds=time.perf_counter() - judged,
        cpu_seconds=sum(each["cpu"] for each in (plan, *used, report)),
        peak_mib=max(each["mib"] for each in used),
        report_mib=report["mib"],
        documents=counts["documents"],
        cached=counts["cached"],
        quarantined=counts["quarantined"],
    )


def _started(
    step: str, folder: Path, environment: dict[str, str], index: int = 0
) -> tuple[str, subprocess.Popen[bytes]]:
    name = f"{step}-{index}" if step == "shard" else step
    command = [sys.executable, "-m", "benchmarks.scan.pod", str(folder / f"{name}.used")]
    command += [step, "--port=-1", f"--index={index}"]
    command.append(f"--config={folder / 'scan.json'}")
    told = {**os.environ, **environment, "TERMINATION_LOG": str(folder / f"{name}.ended")}
    with (folder / f"{name}.log").open("wb") as log:
        return name, subprocess.Popen(command, env=told, stdout=log, stderr=log)


def _ended(pod: Pod, folder: Path) -> dict[str, float]:
    """What it used."""
    name, process = pod
    if process.wait():
        log = (folder / f"{name}.log").read_text()[-3000:]
        raise RuntimeError(f"{name} ended with {process.returncode}:\n{log}")
    used: dict[str, float] = json.loads((folder / f"{name}.used").read_text())
    return used
