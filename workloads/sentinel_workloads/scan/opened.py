"""Opens what a pod of a scan works with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from sentinel_operator.api.scanning import ScanConfig, ScanExit, Store
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.scan.judged import Detects
from sentinel_workloads.scan.store import ObjectStore, open_store

ARTIFACT = "artifact"
"""The folder of an artifact within the folder that it was handed over in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The stores of a job; those that it does without are None."""

    source: ObjectStore
    output: ObjectStore
    quarantine: ObjectStore | None
    cache: ObjectStore | None


def load_config(path: Path) -> ScanConfig:
    """The job as the operator wrote it; InvalidConfig names what is wrong with it."""
    try:
        return ScanConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise Failure(ScanExit.InvalidConfig, "", f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'JSON'}: {item['msg']}" for item in error.errors())
        raise Failure(ScanExit.InvalidConfig, "", f"{path.name}: {problems}") from error


@asynccontextmanager
async def open_stores(config: ScanConfig) -> AsyncIterator[Stores]:
    """All stores of the job, until left."""
    async with AsyncExitStack() as stack:

        async def opened(store: Store, field: str) -> ObjectStore:
            return await stack.enter_async_context(open_store(store, field=f"spec.{field}", retry=config.retry))

        quarantine = config.quarantine if config.quarantine_mode != "None" else None
        yield Stores(
            source=await opened(config.source, "source.objectStore"),
            output=await opened(config.output, "output.objectStore"),
            quarantine=await opened(quarantine, "quarantine.objectStore") if quarantine else None,
            cache=await opened(config.cache, "cache.objectStore") if config.cache else None,
        )


def open_detector(config: ScanConfig) -> Detects:
    """The detector of the job. ModelUnreadable names the artifact that it cannot be made of."""
    from sentinel_workloads.scan.detect import Detector, DetectorError  # noqa: PLC0415 - a plan judges nothing

    try:
        detector: Detects = Detector.open(
            embedding=artifact(config.embedding_dir),
            classifier=artifact(config.classifier_dir),
            heuristics=config.heuristics,
            threads=1,  # a call judges one document; what runs at once is calls
        )
    except DetectorError as error:
        raise Failure(ScanExit.ModelUnreadable, "spec.detectors", str(error)) from error
    return detector


def artifact(folder: str) -> Path | None:
    """The artifact that was handed over in the folder, or that the folder is."""
    if not folder:
        return None
    below = Path(folder) / ARTIFACT
    return below if below.is_dir() else Path(folder)
