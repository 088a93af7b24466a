"""What a run needs beside the project's own packages: a load generator, and each peer in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from devcluster.paths import cache, content_key

FORTIO = "fortio.org/fortio@v1.63.0"


def fortio() -> Path:
    """Gives the load generator, built from the Go module proxy the first time."""
    folder = cache("bin")
    binary = folder / "fortio"
    if not binary.exists():
        subprocess.run(["go", "install", FORTIO], check=True, env={**os.environ, "GOBIN": str(folder)})
    return binary


def environment(*requirements: str) -> Path:
    """Gives the `bin` folder of a virtual environment with these packages, made the first time."""
    folder = cache("venvs") / content_key(texts=(sys.version, *sorted(requirements)))
    done = folder / ".complete"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True)
        done.touch()
    return folder / "bin"
