"""A container of ours: no right that it does not need, what it reads, and what it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sentinel_operator.api.pod import ObjectStore, Pod, Resources
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.pods.volumes import Mounted

REQUESTS: Mapping[str, str] = {"cpu": "250m", "memory": "256Mi"}
MEMORY_LIMIT = "1Gi"
_CREDENTIALS = (("AWS_ACCESS_KEY_ID", False), ("AWS_SECRET_ACCESS_KEY", False), ("AWS_SESSION_TOKEN", True))


def container(
    name: str, image: str, mounted: tuple[Mounted, ...], *, env: Sequence[Manifest] = (), sees_as: str = ""
) -> Manifest:
    """Gives the container with what it sees; `sees_as` is another one that sees the same."""
    mounts = [mount for each in mounted if (mount := each.mount(sees_as or name)) is not None]
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "volumeMounts": mounts,
        **({"env": list(env)} if env else {}),
        # Where a container leaves no message of its own, its last lines tell why it ended.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def resources(pod: Pod, *, gpu: Mapping[str, str] | None = None) -> Manifest:
    """Gives what the chief container asks for: the user's figures, and defaults for what they leave open."""
    given = pod.resources or Resources()
    requests, limits = _strings(given.requests), _strings(given.limits)
    if "memory" not in requests and "memory" not in limits:
        limits["memory"] = MEMORY_LIMIT
        requests["memory"] = REQUESTS["memory"]
    if "cpu" not in requests and "cpu" not in limits:
        requests["cpu"] = REQUESTS["cpu"]
    limits.update(gpu or {})
    return {key: value for key, value in (("requests", requests), ("limits", limits)) if value}


def credentials(store: ObjectStore | None) -> list[Manifest]:
    """Gives the credentials of a store as the environment that every S3 client reads."""
    if store is None or store.credentials_secret_ref is None:
        return []
    secret = store.credentials_secret_ref.name
    return [
        {
            "name": name,
            "valueFrom": {"secretKeyRef": {"name": secret, "key": name, **({"optional": True} if optional else {})}},
        }
        for name, optional in _CREDENTIALS
    ]


def environment(pod: Pod) -> list[Manifest]:
    """Gives the user's variables."""
    return [
        {"name": each.name, "valueFrom": each.value_from}
        if each.value_from is not None
        else {"name": each.name, "value": each.value}
        for each in pod.env or ()
    ]


def merged(ours: list[Manifest], theirs: list[Manifest]) -> list[Manifest]:
    """Gives both; what is ours is not the user's to say."""
    names = {each["name"] for each in ours}
    return [*ours, *(each for each in theirs if each["name"] not in names)]


def _strings(quantities: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (quantities or {}).items()}
