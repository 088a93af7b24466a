"""The canonical digest of an artifact, as `spec.model.digest` wants it.

A file's digest is its SHA-256. A directory's is the SHA-256 of the lines `<sha256hex>  <relative/posix/path>\\n`
sorted by the bytes of the path, for every regular file except the signature `model.sig` at its root.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from sentinel_operator.api.serving import SIGNATURE

_DEEPEST = 64
_AMBIGUOUS = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff]")  # their lines could be read in two ways


def digest_of(path: Path) -> str:
    """Gives `sha256:…`; raises ValueError for what pods would refuse, and OSError for what cannot be read."""
    root = path.resolve(strict=True)
    if not root.is_dir():
        return f"sha256:{_sha256(root)}"
    names = sorted((name for name in _files(root, prefix="") if name != SIGNATURE), key=str.encode)
    lines = "".join(f"{_sha256(root / name)}  {name}\n" for name in names)
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def _files(folder: Path, *, prefix: str) -> Iterator[str]:
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if _AMBIGUOUS.search(name):
            raise ValueError(f"{name!r}: a name must be UTF-8, without backslash or control characters")
        if name.count("/") >= _DEEPEST:
            raise ValueError(f"{name[:200]!r}: folders are nested deeper than {_DEEPEST}")
        if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
            raise ValueError(f"{name!r}: an artifact holds files and directories only, no links")
        if entry.is_dir():
            yield from _files(entry, prefix=f"{name}/")
        else:
            yield name


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"{str(path)!r} is neither a file nor a directory")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
