"""Artifacts on a mounted volume: file:///path of a file or a directory, without following any link in it."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.fetch.artifact import UnfitArtifactError, file_names, open_regular
from sentinel_workloads.fetch.source import CHUNK_BYTES, MAX_FILES, Remote, Stream
from sentinel_workloads.objectstore.failures import ChangedError, Failure, TransientError

FIELD = "spec.model.source"
# What a network file system answers while its server is away.
TRANSIENT = {
    errno.EIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENOTCONN,
    errno.EAGAIN,
}


class LocalSource:
    """A folder or file that some volume shows here."""

    uri_field = FIELD

    def __init__(self, root: Path, *, name: str = "") -> None:
        """`name` is what a single file is called in the copy, if not as here."""
        self._root, self._name = root, name or root.name
        with _faults(str(root)):
            if root.is_symlink():
                raise UnfitArtifactError(f"{root.name!r} is a symbolic link")
            root.stat()
        self.is_directory = root.is_dir()

    @classmethod
    def of(cls, uri: str) -> LocalSource:
        """The source that a file:// address names."""
        parts = urlsplit(uri)
        if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
            raise Failure(ExitCode.InvalidConfig, FIELD, f"{uri!r} must be file:/// and an absolute path")
        path = Path(unquote(parts.path))
        if ".." in path.parts:
            raise Failure(ExitCode.InvalidConfig, FIELD, f"{uri!r} would lead out of its volume")
        return cls(path)

    async def listing(self) -> tuple[Remote, ...]:
        """Every file below the root, or the one file itself, with its size."""
        return await asyncio.to_thread(self._list)

    def _list(self) -> tuple[Remote, ...]:
        with _faults(str(self._root)):
            if not self.is_directory:
                return (_remote(self._name, self._root),)
            names = file_names(self._root)
            if len(names) > MAX_FILES:
                raise Failure(ExitCode.ArtifactTooLarge, FIELD, f"{self._root} holds more than {MAX_FILES} files")
            if not names:
                raise Failure(ExitCode.NotFound, FIELD, f"{self._root} holds no file")
            return tuple(_remote(name, self._root / name) for name in names)

    def signature(self) -> Remote:
        """`<path>.sig`."""
        path = self._root.with_name(f"{self._root.name}.sig")
        return Remote(path=path.name, locator=str(path))

    @asynccontextmanager
    async def open(self, remote: Remote, *, offset: int, version: str) -> AsyncIterator[Stream]:
        """Streams a regular file; ChangedError when its size or time of change differ from the version."""
        with _faults(remote.path):
            descriptor = open_regular(Path(remote.locator))
        try:
            found = os.fstat(descriptor)
            if version and version != _version(found):
                raise ChangedError(f"{remote.path} changed while it was read")
            yield Stream(offset, found.st_size, _version(found), _chunks(descriptor, offset, remote.path))
        finally:
            os.close(descriptor)


async def _chunks(descriptor: int, offset: int, name: str) -> AsyncIterator[bytes]:
    # In a thread: a hung network file system must not keep a signal from being answered.
    while True:
        with _faults(name):
            chunk = await asyncio.to_thread(os.pread, descriptor, CHUNK_BYTES, offset)
        if not chunk:
            return
        yield chunk
        offset += len(chunk)


def _remote(name: str, path: Path) -> Remote:
    found = path.stat(follow_symlinks=False)
    return Remote(path=name, locator=str(path), size=found.st_size, version=_version(found))


def _version(found: os.stat_result) -> str:
    return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"


@contextmanager
def _faults(name: str) -> Iterator[None]:
    try:
        yield
    except UnfitArtifactError as error:
        raise Failure(ExitCode.InvalidConfig, FIELD, f"{name}: {error}") from error
    except FileNotFoundError as error:
        raise Failure(ExitCode.NotFound, FIELD, f"{name} does not exist") from error
    except PermissionError as error:
        raise Failure(ExitCode.AccessDenied, FIELD, f"{name} may not be read by user {os.getuid()}") from error
    except OSError as error:
        if error.errno in TRANSIENT:
            raise TransientError(f"{name}: {error.strerror}", field=FIELD) from error
        raise Failure(ExitCode.InvalidConfig, FIELD, f"{name}: {error.strerror}") from error
