"""Which container was given which device, as the kubelet's pod-resources API tells (`v1.PodResourcesLister/List`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from sentinel_agent.pods import podresources_pb2 as pb

_LIST = "/v1.PodResourcesLister/List"
_VENDOR = "nvidia.com/"
_LARGEST = 16 * 2**20
_OPTIONS = (
    ("grpc.max_receive_message_length", _LARGEST),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 30_000),
)


@dataclass(frozen=True, slots=True, order=True)
class Container:
    """A container of a pod, by its names."""

    namespace: str
    pod: str
    container: str = ""


Allocations = Mapping[str, tuple[Container, ...]]
"""By the device plugin's id of the device, shares of it told together."""


class KubeletGone(Exception):  # noqa: N818 - an outcome
    """The kubelet did not answer; the message is gRPC's name of why."""


class Kubelet:
    """The kubelet's socket. The connection is kept, and made anew by gRPC when the kubelet was started anew."""

    def __init__(self, socket: Path) -> None:
        self._channel = grpc.insecure_channel(f"unix://{socket}", options=_OPTIONS)
        self._list = self._channel.unary_unary(
            _LIST,
            request_serializer=pb.ListPodResourcesRequest.SerializeToString,
            response_deserializer=pb.ListPodResourcesResponse.FromString,
        )

    def allocations(self, *, timeout: float) -> Allocations:
        """Gives who has which NVIDIA device; raises KubeletGone."""
        try:
            answer = self._list(pb.ListPodResourcesRequest(), timeout=timeout)
        except grpc.RpcError as error:
            raise KubeletGone(error.code().name) from error
        found: dict[str, set[Container]] = {}
        for pod in answer.pod_resources:
            for container in pod.containers:
                for devices in container.devices:
                    if devices.resource_name.startswith(_VENDOR):
                        for device in devices.device_ids:
                            owner = Container(pod.namespace, pod.name, container.name)
                            found.setdefault(plain(device), set()).add(owner)
        return {device: tuple(sorted(owners)) for device, owners in found.items()}

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()


def plain(device: str) -> str:
    """Gives the device that a share of it is of: NVIDIA's plugin numbers shares, `GPU-…::3`."""
    return device.partition("::")[0]
