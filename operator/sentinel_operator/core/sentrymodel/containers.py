"""The containers of a model's pod: one brings and verifies the artifact, one serves it."""

from __future__ import annotations

from sentinel_operator.api.active import FOLLOW_PORT
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.api.serving import GRPC_PORT, HTTP_PORT, METRICS_PORT
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.pods import bring
from sentinel_operator.core.pods.containers import container, credentials, environment, merged, resources
from sentinel_operator.core.pods.volumes import Mounted
from sentinel_operator.core.sentrymodel.config import PLACE
from sentinel_operator.core.sentrymodel.volumes import FETCH, FOLLOW, SERVER

_FOLLOW_RESOURCES: Manifest = {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}}
_STARTUP_SECONDS = 600


def fetch_container(
    spec: SentryModelSpec, config: SentinelConfigSpec, mounted: tuple[Mounted, ...], *, follows: str = ""
) -> Manifest:
    """Gives the container that brings the artifact, with the storage's credentials. `follows` is the ConfigMap that
    says which revision, where running pods are told."""
    args = ["follow", "--once", "--config-map", follows] if follows else []
    return bring.fetch_container(
        spec.model, PLACE, mounted, image=config.images.fetch, env=environment(spec.pod), args=args
    )


def follow_container(
    spec: SentryModelSpec, config: SentinelConfigSpec, mounted: tuple[Mounted, ...], *, follows: str
) -> Manifest:
    """Gives the container beside the server that brings what the ConfigMap names from then on.

    It has no readiness probe: a pod that serves goes on to do so while the API server is away.
    """
    env = merged(credentials(spec.model.source.object_store), environment(spec.pod))
    return {
        **container(FOLLOW, config.images.fetch, mounted, env=env, sees_as=FETCH),
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
    return bring.source_container(spec.model, PLACE, mounted)


def server_container(
    spec: SentryModelSpec, config: SentinelConfigSpec, mounted: tuple[Mounted, ...], *, follows: bool = False
) -> Manifest:
    """Gives the container that serves; ready only when its model is."""
    return {
        **container(SERVER, spec.runtime.image or config.images.model_server, mounted, env=environment(spec.pod)),
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
    gpu = spec.runtime.gpu
    return resources(spec.pod, gpu={gpu.resource_name: str(gpu.count)} if gpu is not None else None)


def _probe(spec: SentryModelSpec, path: str, **timing: int) -> Manifest:
    secure = spec.access is not None and spec.access.tls is not None
    return {
        "httpGet": {"path": f"/v2/health/{path}", "port": "http", "scheme": "HTTPS" if secure else "HTTP"},
        **timing,
    }
