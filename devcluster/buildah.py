"""buildah on a store of its own: nothing of the machine's other images is touched, and its layers lie in the cache."""

from __future__ import annotations

from devcluster.paths import cache, is_overlay
from devcluster.processes import run

_INTERMEDIATE = 300


def buildah() -> list[str]:
    """Gives the words that a buildah command starts with."""
    store = cache("buildah")
    driver = "vfs" if is_overlay(store) else "overlay"  # an overlay cannot lie on another
    return ["buildah", f"--root={store / 'root'}", f"--runroot={store / 'run'}", f"--storage-driver={driver}"]


def prune() -> None:
    """Drops the layers of former builds when there are many; those of named images stay."""
    if len(run([*buildah(), "images", "--all", "--quiet", "--filter", "dangling=true"]).split()) > _INTERMEDIATE:
        run([*buildah(), "rmi", "--prune", "--force"], timeout=300, check=False)
