"""Where things lie: the cache (content-keyed, kept) and the state (of running clusters, removed by `down`)."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def cache(*parts: str) -> Path:
    """Gives a folder of the cache, made when missing."""
    root = Path(os.environ.get("SENTINEL_CACHE") or Path.home() / ".cache" / "sentinel")
    folder = root.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def state_root() -> Path:
    """Gives the folder of all clusters' state. Short, since sockets lie below it."""
    default = Path("/var/lib/sentinel-devcluster") if os.geteuid() == 0 else Path.home() / ".local/state/sentinel"
    root = Path(os.environ.get("SENTINEL_STATE") or default)
    root.mkdir(parents=True, exist_ok=True)
    return root


def content_key(*, paths: Iterable[Path] = (), texts: Iterable[str] = ()) -> str:
    """Gives 16 hex digits that change when a byte of the files (folders: whole trees) or texts changes."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"text {len(text)}\n{text}".encode())
    for path in paths:
        for file in _files(path):
            digest.update(f"file {file.relative_to(path.parent)}\n".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def keep_newest(folder: Path, pattern: str, number: int) -> None:
    """Removes all but the newest files or folders of the pattern."""
    for old in sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime, reverse=True)[number:]:
        if old.is_dir():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.unlink(missing_ok=True)


def is_overlay(path: Path) -> bool:
    """Tells whether the path lies on an overlay file system, as in a container."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    points = [(Path(mount[1]), mount[2]) for mount in mounts]
    holding = [(len(point.parts), kind) for point, kind in points if path.resolve().is_relative_to(point)]
    return max(holding, default=(0, ""))[1] == "overlay"


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(
        file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc"
    )
