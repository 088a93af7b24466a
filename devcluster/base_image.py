"""The base of all images where no registry can be reached: Debian's own Python, from Debian's packages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from devcluster.buildah import buildah
from devcluster.paths import REPOSITORY, cache, content_key
from devcluster.processes import run, run_long

CONTAINERFILE = REPOSITORY / "images" / "base.Containerfile"
_NAME = "localhost/sentinel-base"
_SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates,libgomp1"
_NOT_NEEDED = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "var/lib/apt/lists", "var/cache")


def key() -> str:
    """Gives what changes when the base would be another."""
    return content_key(paths=[CONTAINERFILE], texts=[_SUITE, _PACKAGES, *_NOT_NEEDED])


def base(say: Callable[[str], None]) -> str:
    """Gives the name of the base image, made when the builder does not have it."""
    name = f"{_NAME}:{key()}"
    if run([*buildah(), "images", "--quiet", "--filter", f"reference={name}"], check=False).strip():
        return name
    say("making the base image from Debian's packages")
    with tempfile.TemporaryDirectory(dir=cache("work"), prefix="base-") as folder:
        root, archive = Path(folder) / "root", Path(folder) / "rootfs.tar"
        bootstrap = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(root)]
        run_long(bootstrap, what="debootstrap", say=say, timeout=900)
        for path in _NOT_NEEDED:
            shutil.rmtree(root / path, ignore_errors=True)
        pack = ["tar", "--create", "--numeric-owner", "--exclude=./dev/*", f"--file={archive}", "-C", str(root), "."]
        run(pack, timeout=120)
        shutil.rmtree(root)
        command = [*buildah(), "build", "--isolation=chroot", f"--file={CONTAINERFILE}", f"--tag={name}", folder]
        run_long(command, what="base image", say=say, timeout=300)
    return name
