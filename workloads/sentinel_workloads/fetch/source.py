"""What every source of artifacts offers: a listing, and streams that can start in the middle."""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlsplit

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.fetch.artifact import UnfitArtifactError, check_name
from sentinel_workloads.objectstore.failures import Failure

CHUNK_BYTES = 1 << 20
MAX_FILES = 100_000


@dataclass(frozen=True, slots=True)
class Remote:
    """One file at the source: where it goes below the artifact's root, and what is known of it before it is read."""

    path: str
    locator: str
    """How the source finds it: a key, an address, a path."""
    size: int | None = None
    version: str = ""
    """ETag or the like, as the listing gave it; empty when the source gives none before the first answer."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Bytes of a Remote from `offset` on. A source that cannot start in the middle answers with offset 0."""

    offset: int
    size: int | None
    """Size of the whole, not of what is left; None when the source does not say."""
    version: str
    chunks: AsyncIterator[bytes]


class Source(Protocol):
    """Where an artifact lies. Every call raises Failure, TransientError or ChangedError, and nothing else."""

    is_directory: bool
    uri_field: str
    """Field of the spec that names the place."""

    async def listing(self) -> tuple[Remote, ...]:
        """Every file of the artifact; for a single file itself, of which nothing may be known yet."""
        ...

    def signature(self) -> Remote:
        """Where the signature beside a single file would be."""
        ...

    def open(self, remote: Remote, *, offset: int, version: str) -> AbstractAsyncContextManager[Stream]:
        """Streams a file; ChangedError when it is no longer the version."""
        ...


def safe_path(path: str, *, field: str) -> str:
    """The path itself, if it stays below the folder that it is joined to and means one file only."""
    try:
        check_name(path)
    except UnfitArtifactError as error:
        raise Failure(ExitCode.InvalidConfig, field, f"{error}, which no file of an artifact may have") from error
    if not path or path.startswith(("/", "../")) or path in {"..", "."} or posixpath.normpath(path) != path:
        raise Failure(ExitCode.InvalidConfig, field, f"the name {path!r} would lead out of the artifact's folder")
    return path


def single_name(uri: str, *, field: str) -> str:
    """The name under which the one file of an address is kept."""
    path = uri.removeprefix("s3://") if uri.startswith("s3://") else unquote(urlsplit(uri).path)
    return safe_path(posixpath.basename(path), field=field)


def check_tree(remotes: tuple[Remote, ...], *, field: str) -> None:
    """Refuses listings that no folder can hold: a name that is both a file and a folder."""
    files = {remote.path for remote in remotes}
    for path in files:
        parent = posixpath.dirname(path)
        while parent:
            if parent in files:
                raise Failure(ExitCode.InvalidConfig, field, f"{parent!r} is both a file and the folder of {path!r}")
            parent = posixpath.dirname(parent)
