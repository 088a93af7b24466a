"""Registers at the kubelet, tells it the GPUs of the fault file and how they are, and allots them."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from sentinel_faultkit.deviceplugin import deviceplugin_pb2 as pb
from sentinel_faultkit.faultfile import ENVIRONMENT, FaultFile

logger = logging.getLogger(__name__)

VERSION = "v1beta1"
HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"
ENDPOINT = "sentinel-faultkit.sock"
APPLICATION_XIDS = frozenset({13, 31, 43, 45, 68, 109})
"""Of a process's own making: NVIDIA's plugin, too, goes on allotting the GPU."""
_LOOK_SECONDS = 0.5
_REGISTER_SECONDS = 10.0
_STREAMS = 8


@dataclass(frozen=True, slots=True)
class Folder:
    """The kubelet's folder of device plugins."""

    path: Path = Path("/var/lib/kubelet/device-plugins")

    @property
    def kubelet(self) -> Path:
        """Where the kubelet takes registrations."""
        return self.path / "kubelet.sock"

    @property
    def endpoint(self) -> Path:
        """Where this plugin listens."""
        return self.path / ENDPOINT

    def incarnation(self) -> int | None:
        """Names the kubelet's present life: one that starts anew makes a socket anew, and forgets its plugins."""
        try:
            return self.kubelet.stat().st_ino
        except FileNotFoundError:
            return None


def devices(sections: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Gives health by uuid, as a fault file has it: a GPU that is lost, or that an Xid befell which is not the fault of
    a process, is not to be allotted."""
    struck = {
        int(keys["gpu"])
        for name, keys in sections.items()
        if name.startswith("xid ") and int(keys.get("code", "0")) not in APPLICATION_XIDS
    }
    found = {}
    for name, keys in sections.items():
        if name.startswith("gpu "):
            index = int(name.split()[1])
            lost = keys.get("lost", "no") in {"yes", "1", "true"}
            uuid = keys.get("uuid") or f"GPU-{index:08x}-0000-0000-0000-000000000000"
            found[uuid] = UNHEALTHY if lost or index in struck else HEALTHY
    return found


class DevicePlugin:
    """Serves until stopped. Not more than the fault file says is ever allotted: that is the kubelet's doing."""

    def __init__(self, file: FaultFile, *, folder: Folder | None = None, resource: str = "nvidia.com/gpu") -> None:
        self._file, self._folder, self._resource = file, folder or Folder(), resource
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ends `run`."""
        self._stop.set()

    def run(self) -> None:
        """Serves, and registers anew with each life of the kubelet, which removes the sockets of its plugins."""
        server: grpc.Server | None = None
        registered: int | None = None
        while not self._stop.is_set():
            now = self._folder.incarnation()
            if now is not None and (now != registered or not self._folder.endpoint.exists()):
                if server is not None:
                    server.stop(grace=None).wait()
                server = self._serve()
                registered = now if self._register() else None
            self._stop.wait(_LOOK_SECONDS)
        if server is not None:
            server.stop(grace=None).wait()
        self._folder.endpoint.unlink(missing_ok=True)

    def _serve(self) -> grpc.Server:
        self._folder.endpoint.unlink(missing_ok=True)
        server = grpc.server(futures.ThreadPoolExecutor(_STREAMS))
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(f"{VERSION}.DevicePlugin", self._verbs()),)
        )
        server.add_insecure_port(f"unix://{self._folder.endpoint}")
        server.start()
        return server

    def _register(self) -> bool:
        request = pb.RegisterRequest(version=VERSION, endpoint=ENDPOINT, resource_name=self._resource)
        with grpc.insecure_channel(
            f"unix://{self._folder.kubelet}", options=[("grpc.enable_http_proxy", 0)]
        ) as channel:
            register = channel.unary_unary(
                f"/{VERSION}.Registration/Register",
                request_serializer=pb.RegisterRequest.SerializeToString,
                response_deserializer=pb.Empty.FromString,
            )
            try:
                register(request, timeout=_REGISTER_SECONDS)
            except grpc.RpcError as error:
                logger.warning("the kubelet took no registration: %s", error)
                return False
        logger.info("registered %s", self._resource)
        return True

    def _verbs(self) -> dict[str, Any]:
        def unary(answer: Any, request: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(
                answer,
                request_deserializer=request.FromString,
                response_serializer=lambda each: each.SerializeToString(),
            )

        return {
            "GetDevicePluginOptions": unary(lambda _, __: pb.DevicePluginOptions(), pb.Empty),
            "Allocate": unary(lambda request, _: _allotted(request.container_requests), pb.AllocateRequest),
            "PreStartContainer": unary(lambda _, __: pb.Empty(), pb.Empty),
            "ListAndWatch": grpc.unary_stream_rpc_method_handler(
                self._list_and_watch,
                request_deserializer=pb.Empty.FromString,
                response_serializer=lambda each: each.SerializeToString(),
            ),
        }

    def _list_and_watch(self, _: Any, context: Any) -> Iterator[Any]:
        """Tells the kubelet what there is, and again whenever that is different."""
        told: dict[str, str] | None = None
        while context.is_active() and not self._stop.is_set():
            now = devices(self._file.sections())
            if now != told:
                told = now
                yield pb.ListAndWatchResponse(devices=[pb.Device(ID=uuid, health=now[uuid]) for uuid in sorted(now)])
            self._stop.wait(_LOOK_SECONDS)


def _allotted(requests: Iterable[Any]) -> Any:
    """A container is told its GPUs as NVIDIA's runtime is."""
    answers = [
        pb.ContainerAllocateResponse(envs={"NVIDIA_VISIBLE_DEVICES": ",".join(each.devices_ids)}) for each in requests
    ]
    return pb.AllocateResponse(container_responses=answers)


def default_file() -> Path:
    """Gives where pods of the fault kit find the file."""
    return Path(os.environ.get(ENVIRONMENT, "/run/sentinel-faultkit/gpus.ini"))
