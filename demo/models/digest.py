"""The canonical digest of an artifact, as the operator's pods compute it."""

from __future__ import annotations

import hashlib
from pathlib import Path

SIGNATURE = "model.sig"
"""The signature at the root of a directory; part of neither the digest nor what is signed."""


def sha256_file(path: Path) -> str:
    """Gives the SHA-256 of the file's bytes as lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def directory_digest(root: Path) -> str:
    """Gives `sha256:…` over the lines "<sha256>  <path>" of every regular file but the signature, sorted by path bytes.

    The same as
    find . -type f ! -path ./model.sig -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum -- | sha256sum
    """
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    named = sorted((path.relative_to(root).as_posix().encode(), path) for path in files if path != root / SIGNATURE)
    manifest = b"".join(sha256_file(path).encode() + b"  " + name + b"\n" for name, path in named)
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"
