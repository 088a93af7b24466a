"""What the bridge may do: the roles that are shipped are made from it."""

from __future__ import annotations

from collections.abc import Mapping

from sentinel_operator.api.kinds import ACTION_PLAN, NODE_TELEMETRY, SENTINEL_CONFIG, SENTRY_MODEL
from sentinel_operator.engine.resources import Resource

NAME = "sentinel-bridge"
"""Of its account and its lease."""
SECRETS = (f"{NAME}-ca", f"{NAME}-prometheus", f"{NAME}-tls", f"{NAME}-token")
"""Names of Secrets that it may read in its own namespace. Others need a Role that names them."""
ANYWHERE: Mapping[Resource, tuple[str, ...]] = {
    Resource.of_kind(SENTINEL_CONFIG): ("list", "watch"),
    Resource.of_kind(SENTRY_MODEL): ("get", "list", "watch"),
    Resource.of_kind(NODE_TELEMETRY): ("list", "watch"),
    Resource("apps/v1", "Deployment", "deployments"): ("get",),
    Resource("apps/v1", "StatefulSet", "statefulsets"): ("get",),
}
INSIDE: Mapping[Resource, tuple[str, ...]] = {
    Resource.of_kind(ACTION_PLAN): ("create", "get", "list", "patch", "watch"),
}
