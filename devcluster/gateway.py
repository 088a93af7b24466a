"""Gateway API with a real data plane: Traefik beside the first node's kubelet, in that node's network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from devcluster import programs
from devcluster.layout import Layout
from devcluster.served import await_served

PORT = 8000
"""The port that a Gateway's listener has to name, since it is the data plane's entry."""
CLASS = "traefik"
_CONTROLLER = "traefik.io/gateway-controller"


def start(cluster: Layout, traefik: Path, say: Callable[[str], None]) -> None:
    """Brings Gateway API's standard definitions, a GatewayClass and what serves its Gateways."""
    say(f"starting the gateway on {cluster.network.address(1)}:{PORT}")
    definitions = programs.gateway_definitions()
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(definitions))
    kinds = ("gatewayclasses", "gateways", "httproutes")
    await_served(cluster.kubectl, *(f"/apis/gateway.networking.k8s.io/v1/{kind}" for kind in kinds))
    cluster.apply([_gateway_class()])
    cluster.processes.start("traefik", [*cluster.network.enter(1), *_command(cluster, traefik)])


def _command(cluster: Layout, traefik: Path) -> list[str | Path]:
    address = cluster.network.address(1)
    return [
        "env",
        f"KUBECONFIG={cluster.kubeconfig}",
        traefik,
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--providers.kubernetesgateway=true",
        "--providers.providersthrottleduration=200ms",
        f"--providers.kubernetesgateway.statusaddress.ip={address}",
        f"--entrypoints.web.address={address}:{PORT}",
        # Named, though it is closed: by default this entry listens on every address.
        "--entrypoints.traefik.address=127.0.0.1:8099",
    ]


def _gateway_class() -> dict[str, object]:
    metadata = {"name": CLASS}
    spec = {"controllerName": _CONTROLLER}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": metadata, "spec": spec}
