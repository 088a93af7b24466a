"""A folder of this machine as a store: what the command line scans, and where it puts what it finds."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from sentinel_operator.api.scanning import ScanExit
from sentinel_workloads.objectstore.failures import ChangedError, Failure, MissingError
from sentinel_workloads.scan.store.protocol import CHUNK_BYTES, Found, ObjectStore

_PARTIAL = ".partial-"


class LocalStore(ObjectStore):
    """Files below a folder; links to files are followed, links to folders are not."""

    def __init__(self, uri: str, *, field: str) -> None:
        self.uri, self.field = uri, field
        path = Path(unquote(urlsplit(uri).path))
        self._only = path.name if not uri.endswith("/") and not path.is_dir() else ""
        self._root = path.parent if self._only else path

    @override
    async def list(self, below: str = "") -> AsyncIterator[Found]:
        if not self._root.is_dir() and self.field.startswith("spec.source"):
            raise Failure(ScanExit.NotFound, f"{self.field}.uri", f"there is no folder {self._root}")
        for path in self._files():
            key = path.relative_to(self._root).as_posix()
            if key.startswith(below) and _PARTIAL not in path.name and (found := self._found(key, path)):
                yield found

    def _files(self) -> Iterator[Path]:
        if self._only:
            yield self._root / self._only
            return
        for folder, folders, names in os.walk(self._root):
            folders.sort()
            for name in sorted(names):
                yield Path(folder) / name

    def _found(self, key: str, path: Path) -> Found | None:
        try:
            key.encode()
            status = path.stat()
        except UnicodeEncodeError:
            message = f"the name of {os.fsencode(path)!r} is not UTF-8"
            raise Failure(ScanExit.InvalidConfig, f"{self.field}.uri", message) from None
        except OSError:
            return None
        if not path.is_file():
            return None
        return Found(key, status.st_size, f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}")

    def _path(self, key: str) -> Path:
        path = self._root / key
        if not key or key.startswith("/") or ".." in Path(key).parts:
            raise Failure(ScanExit.InvalidConfig, f"{self.field}.uri", f"{key!r} leads out of {self._root}")
        return path

    @override
    async def read(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str = ""
    ) -> AsyncGenerator[bytes, None]:
        path = self._path(key)
        try:
            with path.open("rb") as file:
                file.seek(start)
                left = end - start if end is not None else None
                while left is None or left > 0:
                    chunk = file.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left))
                    self._check(key, path, etag)
                    if not chunk:
                        return
                    left = left - len(chunk) if left is not None else None
                    yield chunk
        except FileNotFoundError as error:
            raise MissingError(ScanExit.NotFound, f"{self.field}.uri", f"there is no {path}") from error
        except OSError as error:
            raise self._denied(path, error) from error

    def _check(self, key: str, path: Path, etag: str) -> None:
        if etag and ((found := self._found(key, path)) is None or found.etag != etag):
            raise ChangedError(f"{path} changed while it was read")

    @override
    async def get(self, key: str, *, limit: int, etag: str = "") -> bytes:
        found = bytearray()
        async for chunk in self.read(key, etag=etag):
            found += chunk
            if len(found) > limit:
                raise ValueError(f"{key} has more than {limit} bytes")
        return bytes(found)

    @override
    async def put(self, key: str, body: bytes | Path, *, only_new: bool = False) -> bool:
        return await asyncio.to_thread(self._put, self._path(key), body, only_new)

    def _put(self, path: Path, body: bytes | Path, only_new: bool) -> bool:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=_PARTIAL)
            with os.fdopen(handle, "wb") as file:
                if isinstance(body, bytes):
                    file.write(body)
                else:
                    with body.open("rb") as given:
                        shutil.copyfileobj(given, file)
            Path(name).chmod(0o644)
            if not only_new:
                Path(name).replace(path)
                return True
            try:
                path.hardlink_to(name)
            except FileExistsError:
                return False
            finally:
                Path(name).unlink()
        except OSError as error:
            raise self._denied(path, error) from error
        return True

    @override
    async def copy_from(self, source: ObjectStore, key: str, *, to: str, etag: str = "") -> bool:
        with tempfile.NamedTemporaryFile(prefix="sentinel-") as carried:
            async for chunk in source.read(key, etag=etag):
                carried.write(chunk)
            carried.flush()
            return await self.put(to, Path(carried.name))

    @override
    async def delete(self, key: str, *, etag: str = "") -> None:
        path = self._path(key)
        if path.exists():
            self._check(key, path, etag)
            path.unlink(missing_ok=True)

    @override
    async def head(self, key: str) -> Found | None:
        return self._found(key, self._path(key))

    def _denied(self, path: Path, error: OSError) -> Failure:
        code = ScanExit.NoSpace if error.errno in {28, 122} else ScanExit.AccessDenied
        return Failure(code, f"{self.field}.uri", f"{path}: {error.strerror}")
