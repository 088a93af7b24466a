"""Draws the conclusion over a dataset: two passes over the results, in bounded memory."""

from __future__ import annotations

from pathlib import Path

from sentinel_operator.api.scanning import ScanConfig
from sentinel_workloads.scan.dataset.cleanset import CleanSet
from sentinel_workloads.scan.dataset.conclusion import Conclusion, Findings
from sentinel_workloads.scan.dataset.gathered import gather
from sentinel_workloads.scan.dataset.overruled import Overruled
from sentinel_workloads.scan.dataset.provenance import Comparison, load_provenance
from sentinel_workloads.scan.dataset.repeated import Repeated
from sentinel_workloads.scan.plan.stored import Plan
from sentinel_workloads.scan.store import ObjectStore

OBJECTS_FILE, UNKNOWN_FILE, CLEAN_FILE = "objects.jsonl", "unknown", "clean.jsonl"


async def conclude(
    config: ScanConfig, *, output: ObjectStore, provenance: ObjectStore | None, plan: Plan, folder: Path
) -> Conclusion:
    """What all shards found, put together; its files lie in the folder. ResultsMissing unless everything is there."""
    comparison = Comparison(await load_provenance(provenance)) if provenance else None
    objects_file, unknown_file = folder / OBJECTS_FILE, folder / UNKNOWN_FILE
    gathered = await gather(output, plan, comparison=comparison, objects_file=objects_file, unknown_file=unknown_file)
    if comparison:
        comparison.finish()
    repeated = Repeated()
    flipped = gathered.texts.flipped(repeated)
    overruled = Overruled(
        output=output,
        shards=len(plan.shards),
        thresholds=config.thresholds,
        flipped=flipped,
        unknown=unknown_file,
    )
    clean = CleanSet(folder / CLEAN_FILE, objects_file, uri=config.source.uri)
    async for line in overruled.lines():
        clean.add(line)
    clean_digest = clean.finish()
    return Conclusion(
        counts=clean.counts.model_copy(update={"bytes": gathered.bytes}),
        shards=len(plan.shards),
        objects=plan.objects,
        bytes=plan.bytes,
        unread=(gathered.unread, tuple(gathered.unread_examples)),
        dataset_digest=gathered.dataset_digest,
        detector=gathered.detector,
        findings=_findings(repeated, comparison),
        objects_file=objects_file,
        clean_file=folder / CLEAN_FILE if config.clean_manifest else None,
        clean_digest=clean_digest if config.clean_manifest else "",
        allowed=clean.allowed,
        lines=overruled.lines,
    )


def _findings(repeated: Repeated, comparison: Comparison | None) -> Findings:
    return Findings(
        flipped_groups=repeated.flipped_groups,
        flipped_documents=repeated.flipped_documents,
        duplicate_groups=repeated.groups,
        duplicate_documents=repeated.documents,
        unknown_objects=comparison.unknown if comparison else 0,
        absent_objects=comparison.absent if comparison else 0,
        examples=tuple(comparison.examples) if comparison else (),
    )
