"""The containers of a model's pod: one brings and verifies the artifact, one serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sentinel_operator.api.active import FOLLOW_PORT
from sentinel_operator.api.pod import Resources
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.api.serving import GRPC_PORT, HTTP_PORT, METRICS_PORT
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.sentrymodel.config import SOURCE_DIR
from sentinel_operator.core.sentrymodel.volumes import FETCH, FOLLOW, SERVER, SOURCE, Mounted

SERVER_REQUESTS: Mapping[str, str] = {"cpu": "250m", "memory": "256Mi"}
SERVER_MEMORY_LIMIT = "1Gi"
_FETCH_RESOURCES: Manifest = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
_FOLLOW_RESOURCES: Manifest = {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}}
_CREDENTIALS = (("AWS_ACCESS_KEY_ID", False), ("AWS_SECRET_ACCESS_KEY", False), ("AWS_SESSION_TOKEN", True))
_COPY = 'cp -RLf "$1" "$2" && if [ -e "$1.sig" ]; then cp -Lf "$1.sig" "$2"; fi'
"""A single file's signature lies beside it."""
_STARTUP_SECONDS = 600


def fetch_container(
    spec: SentryModelSpec, config: SentinelConfigSpec, mounted: tuple[Mounted, ...], *, follows: str = ""
) -> Manifest:
    """Gives the container that brings the artifact, with the storage's credentials. `follows` is the ConfigMap that
    says which revision, where running pods are told."""
    return {
        **_container(FETCH, config.images.fetch, mounted, env=_merged(_credentials(spec), _env(spec))),
        **({"args": ["follow", "--once", "--config-map", follows]} if follows else {}),
        "resources": _FETCH_RESOURCES,
    }


def follow_container(
    spec: SentryModelSpec, config: SentinelConfigSpec, mounted: tuple[Mounted, ...], *, follows: str
) -> Manifest:
    """Gives the container beside the server that brings what the ConfigMap names from then on.

    It has no readiness probe: a pod that serves goes on to do so while the API server is away.
    """
    return {
        **_container(FOLLOW, config.images.fetch, mounted, env=_merged(_credentials(spec), _env(spec))),
        "args": ["follow", "--config-map", follows],
        "resources": _FOLLOW_RESOURCES,
        "ports": [{"name": "follow", "containerPort": FOLLOW_PORT, "protocol": "TCP"}],
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "follow", "scheme": "HTTP"},
            "periodSeconds": 10,
            "failureThreshold": 6,
            "timeoutSeconds": 5,
        },
    }


def source_container(spec: SentryModelSpec, mounted: tuple[Mounted, ...]) -> Manifest | None:
    """Gives the container that copies a baked-in artifact out of its image, where there is one."""
    image = spec.model.source.image
    if image is None:
        return None
    return {
        **_container(SOURCE, image.reference, mounted),
        "command": ["sh", "-c", _COPY, "sh", image.path.rstrip("/"), f"{SOURCE_DIR}/"],
        "resources": _FETCH_RESOURCES,
    }


def server_container(
    spec: SentryModelSpec, config: SentinelConfigSpec, mounted: tuple[Mounted, ...], *, follows: bool = False
) -> Manifest:
    """Gives the container that serves; ready only when its model is."""
    return {
        **_container(SERVER, spec.runtime.image or config.images.model_server, mounted, env=_env(spec)),
        **({"args": ["--follow"]} if follows else {}),
        "resources": server_resources(spec),
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "startupProbe": _probe(spec, "ready", periodSeconds=1, failureThreshold=_STARTUP_SECONDS, timeoutSeconds=2),
        "readinessProbe": _probe(spec, "ready", periodSeconds=2, failureThreshold=3, timeoutSeconds=2),
        "livenessProbe": _probe(spec, "live", periodSeconds=10, failureThreshold=3, timeoutSeconds=5),
    }


def server_resources(spec: SentryModelSpec) -> Manifest:
    """Gives what the server asks for: the user's figures, and defaults for what they leave open."""
    given = spec.pod.resources or Resources()
    requests, limits = _strings(given.requests), _strings(given.limits)
    if "memory" not in requests and "memory" not in limits:
        limits["memory"] = SERVER_MEMORY_LIMIT
        requests["memory"] = SERVER_REQUESTS["memory"]
    if "cpu" not in requests and "cpu" not in limits:
        requests["cpu"] = SERVER_REQUESTS["cpu"]
    if spec.runtime.gpu is not None:
        limits[spec.runtime.gpu.resource_name] = str(spec.runtime.gpu.count)
    return {key: value for key, value in (("requests", requests), ("limits", limits)) if value}


def _container(name: str, image: str, mounted: tuple[Mounted, ...], *, env: Sequence[Manifest] = ()) -> Manifest:
    mounts = [mount for each in mounted if (mount := each.mount(name)) is not None]
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


def _probe(spec: SentryModelSpec, path: str, **timing: int) -> Manifest:
    secure = spec.access is not None and spec.access.tls is not None
    return {
        "httpGet": {"path": f"/v2/health/{path}", "port": "http", "scheme": "HTTPS" if secure else "HTTP"},
        **timing,
    }


def _credentials(spec: SentryModelSpec) -> list[Manifest]:
    store = spec.model.source.object_store
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


def _env(spec: SentryModelSpec) -> list[Manifest]:
    return [
        {"name": each.name, "valueFrom": each.value_from}
        if each.value_from is not None
        else {"name": each.name, "value": each.value}
        for each in spec.pod.env or ()
    ]


def _merged(ours: list[Manifest], theirs: list[Manifest]) -> list[Manifest]:
    names = {each["name"] for each in ours}
    return [*ours, *(each for each in theirs if each["name"] not in names)]


def _strings(quantities: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (quantities or {}).items()}
