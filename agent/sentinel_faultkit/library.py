"""The fake `libnvidia-ml.so.1`, compiled once and kept in the cache by the content of its sources."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

NAME = "libnvidia-ml.so.1"
SOURCES = Path(__file__).parent / "nvml"
_FLAGS = ("-shared", "-fPIC", "-O2", "-std=gnu11", "-fvisibility=hidden", f"-Wl,-soname,{NAME}")
_SECONDS = 120


class BuildError(Exception):
    """The library could not be built; the message says what to do."""


def build(*, without: Sequence[str] = ()) -> Path:
    """Gives the folder that holds the library, for LD_LIBRARY_PATH. `without` names functions that it is to lack, as
    a driver that is too old for them does."""
    folder = _cache() / f"nvml-{_key(without)}"
    if (folder / NAME).exists():
        return folder
    compiler = shutil.which(os.environ.get("CC") or "gcc")
    if compiler is None:
        raise BuildError("a C compiler is needed to build the fake NVML; on Debian: apt-get install gcc libc6-dev")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="nvml-build-") as work:
        hidden = Path(work) / "hidden.map"
        hidden.write_text("{ local: " + " ".join(f"{name};" for name in without) + " };" if without else "{ };")
        script = [f"-Wl,--version-script={hidden}"] if without else []
        command = [compiler, *_FLAGS, *script, *map(str, _sources()), "-o", f"{work}/{NAME}", "-lm", "-lpthread"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        if done.returncode:
            raise BuildError(f"{compiler} could not build the fake NVML: {done.stderr.strip()}")
        folder.mkdir(exist_ok=True)
        Path(work, NAME).replace(folder / NAME)  # whoever else builds it at the same time makes the same
    return folder


def _sources() -> list[Path]:
    return sorted(SOURCES.glob("*.c"))


def _key(without: Sequence[str]) -> str:
    digest = hashlib.sha256(" ".join([*_FLAGS, "-", *sorted(without)]).encode())
    for path in (*_sources(), *sorted(SOURCES.glob("*.h"))):
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _cache() -> Path:
    return Path(os.environ.get("SENTINEL_CACHE") or Path.home() / ".cache" / "sentinel") / "bin"
