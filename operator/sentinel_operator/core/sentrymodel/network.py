"""How requests reach the pods, who may ask for their metrics, and where a client finds the model."""

from __future__ import annotations

from collections.abc import Collection

from sentinel_operator.api.active import FOLLOW_PORT
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.sentrymodel import Gateway, SentryModelSpec
from sentinel_operator.api.serving import GRPC_PORT, HTTP_PORT, METRICS_PORT
from sentinel_operator.core.names import Owner, revision_name
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.rollout.routes import Routes
from sentinel_operator.core.sentrymodel.revision import is_followed

PREVIEW_SUFFIX = "-preview"
_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def desired_services(
    spec: SentryModelSpec, *, owner: Owner, routes: Routes, first: str, revisions: Collection[str], preview: str = ""
) -> list[Manifest]:
    """Gives the Service that clients use, the one to look at a candidate, and, for a Gateway, one for each revision.

    The first selects the pods of one revision, or of all where requests are shared among pods. Behind a Gateway it
    follows the greater part of the requests. It is there from the beginning: `first` is what it will select.
    """
    chief = max(routes.weights, key=lambda each: each[1], default=(first, 0))[0]
    everything = routes.shared or not chief
    selector = owner.selector if everything else owner.revision_selector(chief)
    public = _service(spec, owner, name=owner.name, selector=selector)
    public["spec"]["type"] = spec.service.type
    if spec.service.annotations:
        public["metadata"]["annotations"] = spec.service.annotations
    services = [public]
    if preview:
        name = f"{owner.name}{PREVIEW_SUFFIX}"
        services.append(_service(spec, owner, name=name, selector=owner.revision_selector(preview)))
    if spec.routing.provider == "Gateway":
        for revision in sorted(revisions):
            selector = owner.revision_selector(revision)
            services.append(_service(spec, owner, name=revision_name(owner.name, revision), selector=selector))
    return services


def _service(spec: SentryModelSpec, owner: Owner, *, name: str, selector: dict[str, str]) -> Manifest:
    """Metrics are not on it."""
    secure = is_secure(spec)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**_metadata(spec, owner, component="service"), "name": name},
        "spec": {
            "type": "ClusterIP",
            "selector": selector,
            "ports": [
                {
                    "name": "http",
                    "port": HTTP_PORT,
                    "targetPort": "http",
                    "protocol": "TCP",
                    "appProtocol": "https" if secure else "http",
                },
                {
                    "name": "grpc",
                    "port": GRPC_PORT,
                    "targetPort": "grpc",
                    "protocol": "TCP",
                    "appProtocol": "https" if secure else "kubernetes.io/h2c",
                },
            ],
        },
    }


def desired_service_account(spec: SentryModelSpec, *, owner: Owner) -> Manifest | None:
    """Gives the account of the pods, without a right and without a token, unless the user names their own."""
    if spec.pod.service_account_name is not None:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(spec, owner, component="identity"),
        "automountServiceAccountToken": False,
    }


def desired_network_policy(spec: SentryModelSpec, config: SentinelConfigSpec, *, owner: Owner) -> Manifest:
    """Gives the policy that opens the serving ports to all, and the metrics port to those that scrape it."""
    told = (METRICS_PORT, FOLLOW_PORT) if is_followed(spec) else (METRICS_PORT,)
    scrapers = [name for name in (config.operator_namespace, config.monitoring_namespace) if name]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(spec, owner, component="network"),
        "spec": {
            "podSelector": {"matchLabels": owner.selector},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"ports": [{"port": HTTP_PORT, "protocol": "TCP"}, {"port": GRPC_PORT, "protocol": "TCP"}]},
                *(
                    [
                        {
                            "ports": [{"port": port, "protocol": "TCP"} for port in told],
                            "from": [
                                {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: name}}} for name in scrapers
                            ],
                        }
                    ]
                    if scrapers
                    else []
                ),
            ],
        },
    }


def desired_route(spec: SentryModelSpec, *, owner: Owner, routes: Routes) -> Manifest | None:
    """Gives the HTTPRoute before the revisions' Services, where the Gateway API is asked for. A prefix is taken off
    again."""
    gateway = spec.routing.gateway
    if spec.routing.provider != "Gateway" or gateway is None or not routes.weights:
        return None
    rule: Manifest = {
        "matches": [{"path": {"type": "PathPrefix", "value": gateway.path_prefix}}],
        "backendRefs": [
            {
                "group": "",
                "kind": "Service",
                "name": revision_name(owner.name, revision),
                "port": HTTP_PORT,
                "weight": weight,
            }
            for revision, weight in routes.weights
        ],
    }
    if gateway.path_prefix != "/":
        rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
        rule["filters"] = [{"type": "URLRewrite", "urlRewrite": rewrite}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": _metadata(spec, owner, component="route"),
        "spec": {
            "parentRefs": _parents(gateway),
            **({"hostnames": gateway.hostnames} if gateway.hostnames else {}),
            "rules": [rule],
        },
    }


def url(spec: SentryModelSpec, *, owner: Owner) -> str:
    """Gives the address at which clients find the model: the route's host if there is one, else the Service."""
    gateway = spec.routing.gateway
    if spec.routing.provider == "Gateway" and gateway is not None and gateway.hostnames:
        return f"http://{gateway.hostnames[0]}{gateway.path_prefix.rstrip('/')}"
    scheme = "https" if is_secure(spec) else "http"
    return f"{scheme}://{owner.name}.{owner.namespace}.svc:{HTTP_PORT}"


def _parents(gateway: Gateway) -> list[Manifest]:
    return [
        {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": parent.name,
            **({"namespace": parent.namespace} if parent.namespace else {}),
            **({"sectionName": parent.section_name} if parent.section_name else {}),
        }
        for parent in gateway.parent_refs
    ]


def is_secure(spec: SentryModelSpec) -> bool:
    """Tells whether the pods speak TLS."""
    return spec.access is not None and spec.access.tls is not None


def _metadata(spec: SentryModelSpec, owner: Owner, *, component: str) -> Manifest:
    return {
        "name": owner.name,
        "namespace": owner.namespace,
        "labels": owner.labels(component, extra=spec.labels),
        "ownerReferences": [owner.reference()],
    }
