"""`python -m benchmarks.scan`: whole scans with a real S3 and the real detector on two cores, and what they cost."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.gates import report
from benchmarks.scan.documents import documents, objects
from benchmarks.scan.pods import SHARDS, Ran, scan
from demo.models import scan_classifier, scan_embedding
from demo.models.cache import cache_root, obtain
from sentinel_operator.api.scanning import ScanConfig, Store
from sentinel_operator.api.serving import ObjectStoreAccess
from tests.support.weed import Weed, running_weed

BUCKET = "benchmark"
SMALL = 1000
BARE = 2000
TABLE = (1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Place:
    """Where it all happens."""

    weed: Weed
    folder: Path
    embedding: Path
    classifier: Path
    rules: bool
    """By rules alone."""

    def store(self, prefix: str) -> Store:
        """A prefix of the bucket."""
        return Store(uri=f"s3://{BUCKET}/{prefix}", access=ObjectStoreAccess(endpoint=self.weed.endpoint))

    def scan(self, name: str, data: str, **fields: Any) -> Ran:
        """A scan of that data."""
        config = ScanConfig(
            name=name,
            namespace="benchmark",
            source=self.store(f"{data}/"),
            output=self.store(f"out/{name}/"),
            quarantine=self.store("aside/"),
            cache=self.store("cache/"),
            embedding_dir="" if self.rules else str(self.embedding),
            classifier_dir="" if self.rules else str(self.classifier),
            shards=SHARDS,
            **fields,
        )
        return scan(config, self.folder / name, self.weed.credentials())

    def bare(self) -> tuple[float, float]:
        """Documents a minute that two bare loops judge, each on a core; and the CPU's seconds for one."""
        pods = []
        for number in range(SHARDS):
            file = self.folder / f"bare-{number}.jsonl"
            file.write_bytes(b"".join(objects(documents(BARE, seed=100 + number))))
            command = [sys.executable, "-m", "benchmarks.scan.bare", str(self.embedding), str(file)]
            pods.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        took = [tuple(map(float, pod.communicate()[0].split())) for pod in pods]
        slowest, cpu = max(seconds for seconds, _ in took), sum(cpu for _, cpu in took)
        return BARE * SHARDS / slowest * 60, cpu / (BARE * SHARDS)


async def fill(weed: Weed, data: dict[str, tuple[int, int]]) -> None:
    """Puts the data there: so many documents of a seed; a seed again, so many copies of them."""
    async with weed.client() as client:
        await client.create_bucket(Bucket=BUCKET)
        for name, (count, copies) in data.items():
            seed = 1 if name == "small" else 2
            for number, content in enumerate(objects(documents(count, seed=seed))):
                for copy in range(copies):
                    await client.put_object(Bucket=BUCKET, Key=f"{name}/{copy}-{number:05d}.jsonl", Body=content)


def show(ran: dict[str, Ran], console: Console) -> None:
    """Prints every scan."""
    table = Table(title="whole scans on two cores, S3 among them", title_justify="left", box=None, padding=(0, 2))
    columns = (
        "",
        "documents",
        "cached",
        "plan s",
        "shards s",
        "report s",
        "per minute",
        "CPU s",
        "shard MiB",
        "report MiB",
    )
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    for name, each in ran.items():
        seconds = (f"{value:.1f}" for value in (each.plan_seconds, each.shard_seconds, each.report_seconds))
        sizes = (f"{each.per_minute:,.0f}", f"{each.cpu_seconds:.1f}", f"{each.peak_mib:.0f}", f"{each.report_mib:.0f}")
        table.add_row(name, f"{each.documents:,}", f"{each.cached:,}", *seconds, *sizes)
    console.print(table)


def show_cost(small: Ran, large: Ran, cached: Ran, *, price: float, console: Console) -> None:
    """Prints what growing datasets cost: a start that is the same for all, and a rate."""
    put_together = cached.report_seconds / cached.documents
    rate = large.shard_seconds / large.documents + put_together
    cached_rate = cached.shard_seconds / cached.documents + put_together
    start = max(0.0, small.seconds - rate * small.documents)
    title = f"cost on two cores at {price:g} an hour each; sizes that were not scanned are by the measured rates"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2))
    for column in ("documents", "minutes", "cost", "cost per 1,000", "minutes when cached", "cost when cached"):
        table.add_column(column, justify="right")
    for count in TABLE:
        fresh, again = start + rate * count, start + cached_rate * count
        cost, cost_again = (seconds / 3600 * price * 2 for seconds in (fresh, again))
        shown = (
            f"{fresh / 60:,.1f}",
            f"{cost:.4f}",
            f"{cost / count * 1000:.6f}",
            f"{again / 60:,.1f}",
            f"{cost_again:.4f}",
        )
        table.add_row(f"{count:,}", *shown)
    console.print(table)


def document_cpu(small: Ran, large: Ran) -> float:
    """The CPU's seconds for one document more: what pods take to start is in both."""
    return (large.cpu_seconds - small.cpu_seconds) / (large.documents - small.documents)


def main() -> int:
    """Gives 0 when every gate holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan", description=__doc__)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--copies", type=int, default=5, help="of them, in the scan of what is known")
    parser.add_argument("--price", type=float, default=0.04, help="of a core for an hour")
    parser.add_argument("--rules", action="store_true", help="by rules alone, without the models")
    arguments = parser.parse_args()
    embedding = obtain(scan_embedding.recipe(), cache_root()).artifact
    classifier = embedding if arguments.rules else obtain(scan_classifier.recipe(), cache_root()).artifact
    console = Console(width=140)
    data = {"small": (SMALL, 1), "large": (arguments.documents, 1), "known": (arguments.documents, arguments.copies)}
    with tempfile.TemporaryDirectory() as folder, running_weed(Path(folder)) as weed:
        asyncio.run(fill(weed, data))
        place = Place(weed, Path(folder), embedding, classifier, arguments.rules)
        bare, bare_cpu = place.bare()
        console.print(f"bare onnxruntime: {bare:,.0f} a minute")
        ran = {name: place.scan(name, name) for name in data}
    show(ran, console)
    show_cost(ran["small"], ran["large"], ran["known"], price=arguments.price, console=console)
    peak = max(each.peak_mib for each in ran.values())
    wanted = {name: count * copies for name, (count, copies) in data.items()}
    figures = {
        "documents/min": ran["large"].per_minute,
        "documents/min, all in the cache": ran["known"].per_minute,
        "documents/min / bare onnxruntime's": ran["large"].per_minute / bare,
        "bare onnxruntime's CPU / a document's": bare_cpu / document_cpu(ran["small"], ran["large"]),
        "resident, MiB": peak,
        "resident with most documents / with 1,000": peak / ran["small"].peak_mib,
        "resident of the report, MiB": max(each.report_mib for each in ran.values()),
        "documents that are in no count": float(sum(abs(each.documents - wanted[name]) for name, each in ran.items())),
    }
    return 0 if report("scan", figures, console=console) else 1


if __name__ == "__main__":
    sys.exit(main())
