"""What every cluster has besides its control plane: names for Services."""

from __future__ import annotations

from pathlib import Path

from devcluster.network import Network

DNS_ADDRESS = "10.96.0.10"


def corefile(*, address: str, kubeconfig: Path) -> str:
    """Gives CoreDNS' settings; it runs beside the API server, not in a pod."""
    return f"""cluster.local:53 in-addr.arpa:53 {{
    bind {address}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
    cache 5
}}
"""


def dns_service(network: Network) -> list[object]:
    """Gives the Service without selector and its endpoints on the first node."""
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"clusterIP": DNS_ADDRESS, "ports": ports},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [network.address(1)], "conditions": {"ready": True}}],
        "ports": ports,
    }
    return [service, endpoints]
