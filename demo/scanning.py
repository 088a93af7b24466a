"""A real corpus scanned by a ScanJob in the cluster, and its report verified by two tools that know nothing of it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from demo import objectstore
from demo.corpus import write_corpus
from demo.install import NAMESPACE, Say, Store, ready_of, store_forwarded
from demo.models.sign import KeyPair, key_pair
from demo.sigstorejs import verified_by_key
from demo.waiting import eventually
from devcluster.errors import DevclusterError
from devcluster.paths import REPOSITORY
from devcluster.providers import AnyCluster

EXAMPLE = REPOSITORY / "examples" / "scan-prompts.yaml"
NAME = "prompts"
_LONGEST = 600.0
_VERIFIED = 300.0


@dataclass(frozen=True, slots=True)
class Scan:
    """A finished scan, as its object and its report tell of it."""

    status: dict[str, Any]
    folder: Path
    """Its report, brought here."""
    public_key: Path


def scan_corpus(cluster: AnyCluster, *, store: Store, folder: Path, say: Say) -> Scan:
    """Uploads the corpus, declares the example's ScanJob and waits for its end; brings the report into the folder."""
    corpus = write_corpus(folder / "corpus")
    with store_forwarded(cluster) as endpoint:
        asyncio.run(
            objectstore.upload(
                endpoint=endpoint,
                credentials=store.writer,
                folder=folder / "corpus",
                prefix="prompts",
                bucket=objectstore.DATASETS,
            )
        )
    say(f"{corpus.chat:,} + {corpus.multilingual:,} prompts and {corpus.library} texts in s3://datasets/prompts/")
    keys = key_pair(folder / "keys")
    cluster.apply([_signing_secret(keys), objectstore.client_secret(NAMESPACE, store.writer, name="datasets")])
    cluster.kubectl("delete", "scanjob", NAME, f"--namespace={NAMESPACE}", "--ignore-not-found", "--wait")
    cluster.kubectl("apply", f"--namespace={NAMESPACE}", "-f", str(EXAMPLE))
    status = _finished(cluster, say)["status"]
    root = status["report"]["uri"].removesuffix("report/report.json")
    with store_forwarded(cluster) as endpoint:
        bring = objectstore.download(
            endpoint=endpoint, credentials=store.writer, uri=root, folder=folder / "scans" / root.split("/")[-2]
        )
        asyncio.run(bring)
    return Scan(status, folder / "scans" / root.split("/")[-2], keys.public)


def verify(scan: Scan, *, corpus: Path, say: Say) -> None:
    """Has the report verified offline, by `sentinel-scan verify` and by sigstore's own JavaScript; raises when not."""
    command = [sys.executable, "-m", "sentinel_workloads.scan.cli", "verify", str(scan.folder)]
    command += ["--key", str(scan.public_key), "--dataset", str(corpus)]
    ours = subprocess.run(command, capture_output=True, text=True, timeout=_VERIFIED, check=False)
    if ours.returncode:
        raise RuntimeError(f"sentinel-scan does not accept the report:\n{ours.stdout}{ours.stderr}")
    for line in ours.stdout.strip().splitlines():
        say(f"sentinel-scan verify: {line}")
    if shutil.which("npm") is None:
        say("[yellow]@sigstore/verify was not asked: npm is not on this machine[/]")
        return
    theirs = verified_by_key(scan.folder / "report" / "statement.sigstore.json", scan.public_key)
    if not theirs.ok:
        raise RuntimeError(f"@sigstore/verify does not accept the report: {theirs.error}")
    signed = json.loads(base64.b64decode(theirs.payload))
    say(f"@sigstore/verify: a {signed['predicateType']} over {len(signed['subject'])} subjects, by the same key")


def verdicts_table(scan: Scan) -> Table:
    """Gives what was found in each part of the corpus."""
    found = Counter((_part_of(line["object"]), line["verdict"]) for line in _results(scan.folder))
    table = Table(title="Verdicts", title_justify="left", box=None, padding=(0, 2))
    table.add_column("part")
    verdicts = ("Clean", "Elevated", "Quarantined", "Error")
    for verdict in verdicts:
        table.add_column(verdict, justify="right")
    for part in sorted({part for part, _ in found}):
        table.add_row(part, *(f"{found[part, verdict]:,}" for verdict in verdicts))
    return table


def _results(folder: Path) -> Iterator[dict[str, Any]]:
    """Gives every verdict, those included that only the whole dataset has shown."""
    with gzip.open(folder / "report" / "results.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _part_of(name: str) -> str:
    return name if name.startswith("prompts/") else name.partition("/")[0] + "/"


def _finished(cluster: AnyCluster, say: Say) -> dict[str, Any]:
    told: list[str] = []

    def look() -> dict[str, Any] | None:
        raw = cluster.kubectl("get", "scanjob", NAME, f"--namespace={NAMESPACE}", "-o", "json")
        found: dict[str, Any] = json.loads(raw)
        status = found.get("status", {})
        progress = status.get("progress") or {}
        line = f"{status.get('phase', 'Pending')} {progress.get('percent', '')}".strip()
        if line not in told:
            told.append(line)
            say(line)
        if status.get("phase") == "Failed":
            raise DevclusterError(f"ScanJob {NAME}: {ready_of(found).get('message')}")
        return found if status.get("phase") == "Succeeded" else None

    return eventually(look, within=_LONGEST, otherwise=lambda: "\n".join(told))


def _signing_secret(keys: KeyPair) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "scan-signing", "namespace": NAMESPACE},
        "stringData": {"signing.key": keys.private.read_text()},
    }
