"""Brings files of a source onto this disk: bounded in bytes, in memory and in number at once; resumed where cut."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.fetch.source import Remote, Source, Stream, check_tree, safe_path
from sentinel_workloads.objectstore.failures import Failure, TransientError
from sentinel_workloads.objectstore.retry import Patience

PARALLEL = 6
SIZE_FIELD = "spec.model.maxBytes"
SPACE_FIELD = "spec.pod.resources"


class Allowance:
    """Bytes that may still come. Shared by all files of an artifact, so that none and not their sum goes beyond."""

    def __init__(self, max_bytes: int, *, announced: int | None = None) -> None:
        self.max_bytes = max_bytes
        self.announced = announced
        self.used = 0

    def spend(self, count: int) -> None:
        """Takes the bytes off, or raises ArtifactTooLarge."""
        self.used += count
        if self.used > self.max_bytes:
            raise too_large(self.max_bytes)

    def refund(self, count: int) -> None:
        """Gives back bytes that were thrown away."""
        self.used -= count


def too_large(max_bytes: int, *, announced: int | None = None) -> Failure:
    """The artifact is beyond what the user allows."""
    size = f"{announced} bytes" if announced is not None else f"more than {max_bytes} bytes"
    return Failure(ExitCode.ArtifactTooLarge, SIZE_FIELD, f"the artifact has {size}; {max_bytes} are allowed")


async def bring_all(
    source: Source, remotes: tuple[Remote, ...], folder: Path, *, allowance: Allowance, patience: Callable[[], Patience]
) -> None:
    """Fills the folder with every file, a few at a time. The first failure ends all of them and is the one raised."""
    check_tree(remotes, field=source.uri_field)
    announced = sum(remote.size or 0 for remote in remotes)
    if announced > allowance.max_bytes:
        raise too_large(allowance.max_bytes, announced=announced)
    if announced > (free := shutil.disk_usage(folder).free):
        raise Failure(
            ExitCode.NoSpace, SPACE_FIELD, f"the artifact has {announced} bytes; {free} are free on its volume"
        )
    allowance.announced = announced or None
    waiting = iter(remotes)

    async def worker() -> None:
        for remote in waiting:
            target = folder / safe_path(remote.path, field=source.uri_field)
            await bring(source, remote, target, allowance=allowance, patience=patience())

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(PARALLEL, len(remotes))):
                group.create_task(worker())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def bring(source: Source, remote: Remote, target: Path, *, allowance: Allowance, patience: Patience) -> None:
    """Writes one file, going on where a fault cut it, as long as the source still holds the same version."""
    version, offset = remote.version, 0
    with _disk_faults(remote, field=source.uri_field):
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb", buffering=0)
    with file:
        while True:
            try:
                # Without a version there is no telling whether the rest belongs to what is here.
                wanted = offset if version else 0
                async with source.open(remote, offset=wanted, version=version) as stream:
                    version = stream.version
                    offset = _rewind(file, stream, offset, allowance)
                    _check_announced(stream, allowance)
                    async for chunk in stream.chunks:
                        allowance.spend(len(chunk))
                        with _disk_faults(remote, field=source.uri_field):
                            _write(file, chunk)
                        offset += len(chunk)
                        patience.progress()
            except TransientError as fault:
                await patience.wait(fault)
            else:
                if stream.size is None or offset == stream.size:
                    return
                cut = f"{remote.path}: {offset} of {stream.size} bytes came"
                await patience.wait(TransientError(cut, field=source.uri_field))


def _rewind(file: BinaryIO, stream: Stream, offset: int, allowance: Allowance) -> int:
    """Drops what lies beyond the stream's start; returns where the next byte goes."""
    if stream.offset != offset:
        allowance.refund(offset - stream.offset)
        file.seek(stream.offset)
        file.truncate()
    return stream.offset


def _check_announced(stream: Stream, allowance: Allowance) -> None:
    if stream.size is None:
        return
    if allowance.used + stream.size - stream.offset > allowance.max_bytes:
        raise too_large(allowance.max_bytes, announced=stream.size)
    if allowance.announced is None:
        allowance.announced = stream.size


def _write(file: BinaryIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]


@contextmanager
def _disk_faults(remote: Remote, *, field: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise disk_failure(error, what=remote.path, field=field) from error


def disk_failure(error: OSError, *, what: str, field: str) -> Failure:
    """What an error of the disk that is written to means for the user."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return Failure(ExitCode.NoSpace, SPACE_FIELD, f"the model's volume is full: {what}: {reason}")
    if error.errno in {errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL}:
        return Failure(ExitCode.InvalidConfig, field, f"{what}: this volume cannot hold such a name: {reason}")
    return Failure(ExitCode.NoSpace, SPACE_FIELD, f"the model's volume cannot be written: {what}: {reason}")
