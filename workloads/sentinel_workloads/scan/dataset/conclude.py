"""Draws the conclusion over a dataset: a few passes over the results, in bounded memory."""

from __future__ import annotations

from pathlib import Path

from sentinel_operator.api.scanning import ScanConfig
from sentinel_workloads.scan.dataset.conclusion import Conclusion
from sentinel_workloads.scan.plan.stored import Plan
from sentinel_workloads.scan.store import ObjectStore


async def conclude(
    config: ScanConfig, *, output: ObjectStore, provenance: ObjectStore | None, plan: Plan, folder: Path
) -> Conclusion:
    """What all shards found, put together; its files lie in the folder. ResultsMissing unless everything is there."""
    raise NotImplementedError
