"""The plan as it lies in the output store. Its mark is written last and once: what it names is whole."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from pydantic import ValidationError

from sentinel_operator.api.base import Model
from sentinel_operator.api.scanning import MANIFEST, ObjectLine, ScanExit, Work
from sentinel_workloads.objectstore.failures import Failure, MissingError
from sentinel_workloads.scan.lines import value_of
from sentinel_workloads.scan.store import ObjectStore

MARK = "plan/plan.json"
MAX_MARK_BYTES = 4 * 1024**2
MAX_SHARD_BYTES = 512 * 1024**2


class Plan(Model):
    """What the plan pod found and left."""

    source: str
    """The source's address: a plan of another source is not this job's."""
    objects: int
    bytes: int
    manifest: str
    """sha256 of the manifest."""
    shards: tuple[str, ...]
    """sha256 of each shard's file."""


def shard_file(index: int) -> str:
    """Where the Work of a shard lies."""
    return f"plan/shard-{index:05d}.jsonl"


async def read_plan(output: ObjectStore, *, source: str) -> Plan | None:
    """The plan that was made of this source; None before one was. PlanMissing for another's."""
    try:
        plan = value_of(Plan, await output.get(MARK, limit=MAX_MARK_BYTES))
    except MissingError:
        return None
    except (ValueError, ValidationError) as error:
        raise Failure(ScanExit.PlanMissing, "spec.output", f"{output.uri}{MARK} is no plan") from error
    if plan.source != source:
        message = f"{output.uri}{MARK} is the plan of {plan.source}, not of {source}"
        raise Failure(ScanExit.PlanMissing, "spec.output", message)
    return plan


async def require_plan(output: ObjectStore, *, source: str) -> Plan:
    """The plan, or PlanMissing."""
    if plan := await read_plan(output, source=source):
        return plan
    raise Failure(ScanExit.PlanMissing, "spec.output", f"there is no {output.uri}{MARK}")


async def read_work(output: ObjectStore, plan: Plan, index: int) -> tuple[Work, ...]:
    """What a shard has to judge; ShardUnreadable when it is not what was planned, which says nothing of the others."""
    name = shard_file(index)
    if index >= len(plan.shards):
        raise Failure(ScanExit.PlanMissing, "spec.shards", f"the plan has {len(plan.shards)} shards; {index} is none")
    try:
        body = await output.get(name, limit=MAX_SHARD_BYTES)
    except MissingError as error:
        raise Failure(ScanExit.ShardUnreadable, "spec.output", f"there is no {output.uri}{name}") from error
    if hashlib.sha256(body).hexdigest() != plan.shards[index]:
        raise Failure(ScanExit.ShardUnreadable, "spec.output", f"{output.uri}{name} is not what was planned")
    return tuple(value_of(Work, line) for line in body.splitlines())


async def read_manifest(output: ObjectStore, plan: Plan) -> AsyncIterator[ObjectLine]:
    """Every object of the dataset in byte order of the keys; PlanMissing when they are not those of the plan."""
    seen, rest = hashlib.sha256(), b""
    try:
        async for chunk in output.read(MANIFEST):
            seen.update(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield value_of(ObjectLine, line)
    except MissingError as error:
        raise Failure(ScanExit.PlanMissing, "spec.output", f"there is no {output.uri}{MANIFEST}") from error
    if rest or seen.hexdigest() != plan.manifest:
        raise Failure(ScanExit.PlanMissing, "spec.output", f"{output.uri}{MANIFEST} is not what was planned")
