"""What the containers of a pod find on disk, and which of them may write there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sentinel_operator.api.pod import Pod, SecretKeyRef
from sentinel_operator.core.plan import Manifest

READABLE = 0o444  # the Secret's files belong to root; the pod's user only reads them


@dataclass(frozen=True, slots=True)
class Mounted:
    """A volume, where it is seen, by which containers, and which of them may write."""

    name: str
    source: Manifest
    path: str
    readers: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()

    @property
    def volume(self) -> Manifest:
        """Gives the pod's entry."""
        return {"name": self.name, **self.source}

    def mount(self, container: str) -> Manifest | None:
        """Gives the container's entry, if it sees the volume."""
        if container in self.writers:
            return {"name": self.name, "mountPath": self.path}
        return {"name": self.name, "mountPath": self.path, "readOnly": True} if container in self.readers else None


def empty(size_limit: str) -> Manifest:
    """Gives the source of a volume that begins empty and ends with the pod."""
    return {"emptyDir": {"sizeLimit": size_limit}}


def secret(name: str) -> Manifest:
    """Gives the source of a volume that holds a Secret."""
    return {"secret": {"secretName": name, "defaultMode": READABLE}}


def secret_file(ref: SecretKeyRef, path: str) -> Manifest:
    """Gives the source of a volume that holds one key of a Secret, under another name."""
    source = secret(ref.name)
    source["secret"]["items"] = [{"key": ref.key, "path": path}]
    return source


def extra(pod: Pod, *, seen_by: tuple[str, ...]) -> Iterator[Mounted]:
    """Gives the user's own volumes."""
    for volume in pod.volumes or ():
        yield Mounted(
            volume.name,
            volume.source,
            volume.mount_path,
            readers=seen_by if volume.read_only else (),
            writers=() if volume.read_only else seen_by,
        )
