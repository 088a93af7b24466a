"""The sidecar's instruction, read again whenever it changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic import ValidationError

from sentinel_operator.api.active import Instruction
from sentinel_operator.api.serving import ServingConfig

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 0.25


async def first(path: Path, process: ServingConfig) -> Instruction:
    """Gives the instruction, as soon as there is one that can be followed."""
    async for instruction in watch(path, process):
        if instruction is not None:
            return instruction
    raise AssertionError("a watch never ends")


async def watch(path: Path, process: ServingConfig) -> AsyncIterator[Instruction | None]:
    """Gives each new instruction that can be followed, and None at each look that found nothing new.

    By looking: one stat in a quarter of a second costs nothing, and the file is replaced by rename, never written to.
    """
    seen: tuple[int, int] | None = None
    while True:
        mark = _mark(path)
        if mark is not None and mark != seen:
            seen = mark
            yield _read(path, process)
        else:
            yield None
        await asyncio.sleep(LOOK_SECONDS)


def active_of(instruction: Instruction) -> ServingConfig:
    """Gives the revision that the instruction wants to answer."""
    return next(each.serving for each in instruction.revisions if each.serving.revision == instruction.active)


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _read(path: Path, process: ServingConfig) -> Instruction | None:
    """Gives the instruction, or None and a line in the log where it cannot be meant for this process."""
    try:
        instruction = Instruction.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        LOG.error("the instruction cannot be read and is not followed: %s", error)  # noqa: TRY400
        return None
    revisions = {each.serving.revision: each for each in instruction.revisions}
    if instruction.active not in revisions:
        LOG.error("the instruction names no revision %r and is not followed", instruction.active)
        return None
    for each in revisions.values():
        if (each.serving.name, each.serving.namespace) != (process.name, process.namespace):
            LOG.error("the instruction is for %s/%s and is not followed", each.serving.namespace, each.serving.name)
            return None
    return instruction
