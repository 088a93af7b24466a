"""A dataset in the store and what its scan is signed with: how a ScanJob of it is followed, and its report proven."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from demo import objectstore
from demo.install import store_forwarded
from demo.models.sign import KeyPair
from tests.e2e.world import Raw, World, eventually

SECONDS = 300.0
SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Scan:
    """A ScanJob of a world, its dataset on this machine, and its keys."""

    world: World
    name: str
    dataset: Path
    keys: KeyPair

    def prepare(self) -> None:
        """Puts the dataset into the store, and the Secrets `datasets` and `scan-signing` into the namespace."""
        with store_forwarded(self.world.cluster) as endpoint:
            put = objectstore.upload(
                endpoint=endpoint,
                credentials=self.world.store.writer,
                folder=self.dataset,
                prefix=f"{self.world.namespace}/{SOURCE}",
                bucket=objectstore.DATASETS,
            )
            asyncio.run(put)
        pair = {"signing.key": self.keys.private.read_text(), "signing.pub": self.keys.public.read_text()}
        self.world.apply(
            objectstore.client_secret(self.world.namespace, self.world.store.writer, name="datasets"),
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "scan-signing"}, "stringData": pair},
        )

    def uri(self, folder: str) -> str:
        """Names a folder of the world's own in the store."""
        return f"s3://{objectstore.DATASETS}/{self.world.namespace}/{folder}/"

    def status(self) -> Raw:
        """Gives what is known of it."""
        return dict(self.world.get("scanjob", self.name).get("status") or {})

    def await_phase(self, phase: str) -> Raw:
        """Waits for the phase; gives the ScanJob."""

        def look() -> Raw | None:
            found = self.world.get("scanjob", self.name)
            return found if found.get("status", {}).get("phase") == phase else None

        return eventually(look, within=SECONDS, otherwise=self.explain)

    def explain(self) -> str:
        """Says what the ScanJob and its pods say, for a test that gives up."""
        pods = self.world.kubectl("get", "jobs,pods", "-l", self.selector, "-o", "wide")
        return f"{yaml.safe_dump(self.status())}\n{pods}"

    @property
    def selector(self) -> str:
        """Gives what its objects are found by."""
        return f"sentinel.dev/name={self.name},sentinel.dev/kind=ScanJob"

    def bring(self, uri: str, folder: Path) -> Path:
        """Brings what lies at the URI."""
        writer = self.world.store.writer
        with store_forwarded(self.world.cluster) as endpoint:
            asyncio.run(objectstore.download(endpoint=endpoint, credentials=writer, uri=uri, folder=folder))
        return folder

    def verify(self, report: Path) -> subprocess.CompletedProcess[str]:
        """Has a report proven, and that its dataset is this one."""
        command = [sys.executable, "-m", "sentinel_workloads.scan.cli", "verify", str(report)]
        command += ["--key", str(self.keys.public), "--dataset", str(self.dataset)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
