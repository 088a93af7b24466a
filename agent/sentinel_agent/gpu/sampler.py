"""The thread that reads the GPUs: each interval all of them, whatever befalls the library or one of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pynvml

from sentinel_agent.gpu.device import Device
from sentinel_agent.gpu.nvml import DeviceGone, LibraryUnusable, Note, Nvml, Suspects
from sentinel_agent.gpu.reading import HANGING, WORKING, Identity, Library, Reading
from sentinel_agent.workers import Beat

logger = logging.getLogger(__name__)

_LEAST_RETRY, _LONGEST_RETRY = 1.0, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """All GPUs as one round found them; `at` is monotonic."""

    at: float
    readings: tuple[Reading, ...]
    library: Library


Publish = Callable[[Round], None]


class Sampler:
    """Reads the GPUs in a thread of its own. `known` gives those that were ever seen, so that none is missed."""

    def __init__(
        self,
        *,
        interval: float,
        slow_interval: float,
        known: Callable[[], Mapping[str, Identity]],
        publish: Publish,
        failed: Callable[[Library], None],
        note: Note,
    ) -> None:
        self._interval, self._slow_interval = interval, slow_interval
        self._known, self._publish, self._failed, self._note = known, publish, failed, note
        self.opened = threading.Event()
        """Set while the library is initialised."""
        self._suspects = Suspects()

    def hung(self, function: str, uuid: str) -> None:
        """Takes note that a call does not come back: the next thread goes on without it."""
        self._suspects.add(uuid, function)
        self._failed(Library(state=HANGING, hanging=function))

    def work(self, beat: Beat) -> None:
        """Goes on until it is no longer wanted."""
        retry = _LEAST_RETRY
        while beat.wanted:
            nvml = Nvml(beat, self._note, self._suspects)
            began = time.monotonic()
            try:
                nvml.open()
                self.opened.set()
                self._sample(nvml, beat)
            except LibraryUnusable as error:
                self._say(beat, Library(state=error.state))
            finally:
                self.opened.clear()
                if beat.wanted or nvml.driver_version:
                    nvml.close()
            if time.monotonic() - began > _LONGEST_RETRY:
                retry = _LEAST_RETRY
            beat.pause(retry)
            retry = min(_LONGEST_RETRY, 2 * retry)

    def _say(self, beat: Beat, library: Library) -> None:
        if beat.wanted:
            self._failed(library)

    def _sample(self, nvml: Nvml, beat: Beat) -> None:
        devices: dict[str, Device] = {}
        silent, slow_at, due = 0, 0.0, time.monotonic()
        while beat.wanted:
            now = time.monotonic()
            slow = now >= slow_at
            if slow:
                nvml.relearn()
                devices, silent = self._enumerate(nvml, devices, silent)
                slow_at = now + self._slow_interval
            readings = tuple(self._read(nvml, device, slow=slow) for device in devices.values())
            if any(not reading.present for reading in readings):
                slow_at = 0.0  # look at once which are there
            if beat.wanted:
                absent = self._absent(readings, silent)
                library = self._library(nvml, max(0, silent - len(absent)))
                self._publish(Round(at=now, readings=(*readings, *absent), library=library))
            due = max(due + self._interval, time.monotonic())
            beat.pause(due - time.monotonic())

    def _library(self, nvml: Nvml, unidentified: int) -> Library:
        hanging = self._suspects.named
        return Library(
            state=HANGING if hanging else WORKING,
            driver_version=nvml.driver_version,
            missing=tuple(sorted(nvml.missing)),
            hanging=hanging,
            unidentified=unidentified,
        )

    def _enumerate(self, nvml: Nvml, before: dict[str, Device], silent_before: int) -> tuple[dict[str, Device], int]:
        """Gives the GPUs that answer, those from before with what was read of them, and how many are there by number
        and do not say who they are. Whom NVML fails to tell of without saying why is as before."""
        count = nvml.ask("", pynvml.nvmlDeviceGetCount)
        if count is None:
            return before, silent_before
        found: dict[str, Device] = {}
        silent = 0
        for index in range(count):
            try:
                device = self._identify(nvml, index)
            except DeviceGone:
                silent += 1
                continue
            if device is None:
                found.update({uuid: held for uuid, held in before.items() if held.identity.index == index})
                continue
            known = before.get(device.identity.uuid)
            if known is not None:
                known.handle, known.identity = device.handle, device.identity
            found[device.identity.uuid] = known or device
        return found, silent

    def _identify(self, nvml: Nvml, index: int) -> Device | None:
        handle = nvml.ask("", pynvml.nvmlDeviceGetHandleByIndex, index)
        uuid = nvml.ask("", pynvml.nvmlDeviceGetUUID, handle) if handle is not None else None
        if not uuid:
            return None
        pci = nvml.ask(uuid, pynvml.nvmlDeviceGetPciInfo, handle)
        identity = Identity(
            uuid=uuid,
            index=index,
            name=nvml.ask(uuid, pynvml.nvmlDeviceGetName, handle) or "",
            pci_bus_id=_text(pci.busId) if pci is not None else "",
            minor=nvml.ask(uuid, pynvml.nvmlDeviceGetMinorNumber, handle),
        )
        return Device(handle, identity)

    def _read(self, nvml: Nvml, device: Device, *, slow: bool) -> Reading:
        try:
            return device.read(nvml, slow=slow)
        except DeviceGone:
            return Reading(identity=device.identity, presence="Lost")

    def _absent(self, readings: tuple[Reading, ...], silent: int) -> list[Reading]:
        """Those that were seen before and are not told of any more: lost while some number does not say who it is."""
        there = {reading.identity.uuid for reading in readings}
        return [
            Reading(identity=identity, presence="Lost" if silent else "Vanished")
            for uuid, identity in self._known().items()
            if uuid not in there
        ]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
