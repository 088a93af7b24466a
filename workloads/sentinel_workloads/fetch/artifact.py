"""The canonical digest of an artifact, taken from the bytes on disk.

A file's digest is its SHA-256. A directory's is the SHA-256 of the lines `<sha256hex>  <relative/posix/path>\\n` sorted
by the bytes of the path, for every regular file except the signature `model.sig` at its root. The same by hand:

    find . -type f ! -path ./model.sig -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum -- | sha256sum

Imports the standard library only: the command line uses it too.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SIGNATURE_NAME = "model.sig"
MAX_DEPTH = 64


class UnfitArtifactError(ValueError):
    """The path holds something that an artifact must not hold: a link, a device, an ambiguous name."""


@dataclass(frozen=True, slots=True)
class HashedFile:
    """One file of an artifact: its path below the root, in POSIX form, and the SHA-256 of its bytes in hex."""

    path: str
    sha256: str


def digest_of(path: str | os.PathLike[str]) -> str:
    """The canonical digest `sha256:…` of a file or a directory."""
    root = Path(path)
    if root.is_dir() and not root.is_symlink():
        return directory_digest(hashed_files(root))
    return f"sha256:{_sha256(root)}"


def directory_digest(files: tuple[HashedFile, ...]) -> str:
    """The canonical digest of a directory that holds exactly these files."""
    manifest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path.encode()):
        manifest.update(f"{file.sha256}  {file.path}\n".encode())
    return f"sha256:{manifest.hexdigest()}"


def hashed_files(root: Path) -> tuple[HashedFile, ...]:
    """Every regular file below the root but its signature, hashed, sorted by the bytes of the path."""
    return tuple(HashedFile(name, _sha256(root / name)) for name in file_names(root) if name != SIGNATURE_NAME)


def file_names(root: Path) -> tuple[str, ...]:
    """Paths of every regular file below the root, sorted by bytes. Anything but files and directories is refused."""
    return tuple(sorted(_walk(root, prefix=""), key=str.encode))


def check_name(path: str) -> None:
    """Refuses names whose line in the manifest could be read in two ways (sha256sum escapes them, not every tool does),
    and nesting so deep that it serves only to break what walks it."""
    if not path.isascii() and any("\ud800" <= char <= "\udfff" for char in path):
        raise UnfitArtifactError(f"the name {path!r} is not UTF-8")
    if "\\" in path or any(ord(char) < 0x20 or ord(char) == 0x7F for char in path):
        raise UnfitArtifactError(f"the name {path!r} has a backslash or a control character")
    if path.count("/") >= MAX_DEPTH:
        raise UnfitArtifactError(f"the name {path[:200]!r} is nested deeper than {MAX_DEPTH} folders")


def _walk(folder: Path, *, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            check_name(path)
            if entry.is_symlink():
                raise UnfitArtifactError(f"{path!r} is a symbolic link")
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), prefix=f"{path}/")
            elif entry.is_file(follow_symlinks=False):
                yield path
            else:
                raise UnfitArtifactError(f"{path!r} is neither a file nor a directory")


def open_regular(path: Path) -> int:
    """A descriptor to read a regular file. O_NONBLOCK: opening a named pipe must not wait for its writer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        if path.is_symlink():
            raise UnfitArtifactError(f"{path.name!r} is a symbolic link") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnfitArtifactError(f"{path.name!r} is not a regular file")
    return descriptor


def _sha256(path: Path) -> str:
    with open(open_regular(path), "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
