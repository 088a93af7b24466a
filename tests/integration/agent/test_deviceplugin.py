"""The device plugin, as a kubelet meets it: registration, list and watch, allocation, a kubelet that starts anew."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from sentinel_faultkit.deviceplugin import deviceplugin_pb2 as pb
from sentinel_faultkit.deviceplugin.plugin import DevicePlugin, Folder
from sentinel_faultkit.faultfile import FaultFile

FIRST, SECOND = (f"GPU-{index:08x}-0000-0000-0000-000000000000" for index in range(2))


def until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


class Kubelet:
    """The part of a kubelet that plugins see."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.registrations: queue.Queue[Any] = queue.Queue()
        self.listed: list[dict[str, str]] = []
        self._server: grpc.Server | None = None
        self._channel: grpc.Channel | None = None

    def start(self) -> None:
        """Begins a life: the sockets of plugins are removed, and its own is made."""
        for path in self.folder.path.iterdir():
            path.unlink()
        register = grpc.unary_unary_rpc_method_handler(
            self._registered, request_deserializer=pb.RegisterRequest.FromString, response_serializer=_text
        )
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        handlers = {"Register": register}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1beta1.Registration", handlers),))
        self._server.add_insecure_port(f"unix://{self.folder.kubelet}")
        self._server.start()

    def stop(self) -> None:
        for each in (self._channel,):
            if each is not None:
                each.close()
        if self._server is not None:
            self._server.stop(None).wait()

    def watch(self) -> None:
        """Follows the plugin that has registered."""
        request = self.registrations.get(timeout=20)
        self._channel = grpc.insecure_channel(f"unix://{self.folder.path / request.endpoint}")
        listing = self._channel.unary_stream(
            "/v1beta1.DevicePlugin/ListAndWatch",
            request_serializer=_text,
            response_deserializer=pb.ListAndWatchResponse.FromString,
        )(pb.Empty())

        def follow() -> None:
            try:
                for answer in listing:
                    self.listed.append({device.ID: device.health for device in answer.devices})
            except grpc.RpcError:
                return

        threading.Thread(target=follow, daemon=True).start()

    def allocate(self, *uuids: str) -> dict[str, str]:
        assert self._channel is not None
        allocate = self._channel.unary_unary(
            "/v1beta1.DevicePlugin/Allocate",
            request_serializer=_text,
            response_deserializer=pb.AllocateResponse.FromString,
        )
        asked = pb.AllocateRequest(container_requests=[pb.ContainerAllocateRequest(devices_ids=uuids)])
        return dict(allocate(asked, timeout=10).container_responses[0].envs)

    def _registered(self, request: Any, _: Any) -> Any:
        self.registrations.put(request)
        return pb.Empty()


def _text(message: Any) -> bytes:
    return bytes(message.SerializeToString())


@pytest.fixture
def file(tmp_path: Path) -> FaultFile:
    found = FaultFile(tmp_path / "gpus.ini")
    found.create(gpus=2)
    return found


@pytest.fixture
def kubelet(tmp_path: Path, file: FaultFile) -> Iterator[Kubelet]:
    folder = Folder(tmp_path / "plugins")
    folder.path.mkdir()
    kubelet, plugin = Kubelet(folder), DevicePlugin(file, folder=folder)
    running = threading.Thread(target=plugin.run)
    running.start()
    kubelet.start()
    yield kubelet
    plugin.stop()
    kubelet.stop()
    running.join(20)
    assert not running.is_alive()


def test_it_registers_and_lists_what_the_file_says(kubelet: Kubelet) -> None:
    kubelet.watch()
    assert until(lambda: kubelet.listed) == [{FIRST: "Healthy", SECOND: "Healthy"}]
    assert kubelet.allocate(SECOND) == {"NVIDIA_VISIBLE_DEVICES": SECOND}


def test_a_gpu_that_is_lost_or_struck_is_allotted_no_more_and_one_that_a_process_wronged_is(
    kubelet: Kubelet, file: FaultFile
) -> None:
    kubelet.watch()
    file.xid(0, 31)
    until(lambda: kubelet.listed)
    file.xid(0, 79)
    until(lambda: kubelet.listed[-1] == {FIRST: "Unhealthy", SECOND: "Healthy"})
    file.gpu(1, lost=True)
    until(lambda: kubelet.listed[-1] == {FIRST: "Unhealthy", SECOND: "Unhealthy"})
    file.remove("gpu 0")
    until(lambda: kubelet.listed[-1] == {SECOND: "Unhealthy"})


def test_a_kubelet_that_starts_anew_is_registered_at_anew(kubelet: Kubelet) -> None:
    kubelet.watch()
    until(lambda: kubelet.listed)
    kubelet.stop()
    kubelet.listed.clear()
    kubelet.start()
    kubelet.watch()
    assert until(lambda: kubelet.listed)[-1] == {FIRST: "Healthy", SECOND: "Healthy"}
