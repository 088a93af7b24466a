"""Node packages of a lock file, installed once into the project's cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from devcluster.locks import locked
from devcluster.paths import cache

_INSTALL_SECONDS = 240


def installed_modules(project: Path) -> Path:
    """Gives the `node_modules` of the project's package-lock.json; raises FileNotFoundError where there is no npm."""
    lock = project / "package-lock.json"
    home = cache("npm")
    target = home / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    with locked(home / ".lock"):
        if not target.is_dir():
            part = target.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(project / name, part)
            command = ["npm", "ci", "--ignore-scripts", "--loglevel=error"]
            subprocess.run(command, cwd=part, check=True, timeout=_INSTALL_SECONDS)
            part.rename(target)
    return target / "node_modules"
