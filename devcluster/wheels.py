"""The wheels of a lock, each checked against its hash, downloaded once."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from devcluster.paths import cache, content_key, keep_newest
from devcluster.processes import run, run_long

_KEPT = 2


def wheels(lock: Path, say: Callable[[str], None]) -> Path:
    """Gives a folder with every wheel of the lock."""
    folder = cache("wheels") / f"{lock.stem}-{content_key(paths=[lock])}"
    if folder.exists():
        return folder
    with tempfile.TemporaryDirectory(dir=cache("work"), prefix="wheels-") as work:
        tools, partial = Path(work) / "tools", Path(work) / "wheels"
        run([sys.executable, "-m", "venv", tools], timeout=120)  # the environment that runs this may have no pip
        pip = [f"{tools}/bin/pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        flags = ["--no-deps", "--only-binary=:all:", f"--requirement={lock}", f"--dest={partial}"]
        run_long([*pip, *flags], what=f"wheels of {lock.name}", say=say, timeout=900)
        shutil.move(partial, folder)
    keep_newest(cache("wheels"), f"{lock.stem}-*", _KEPT)
    return folder
