"""The thread that hears of Xid errors: each is told once, with the GPU that it befell."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pynvml

from sentinel_agent.gpu.nvml import UNUSABLE, Note, name_of
from sentinel_agent.workers import Beat

Heard = Callable[[str, int], None]
"""Takes the uuid of the GPU and the code of the Xid."""

_WAIT_MS = 500
_RETRY, _IDLE = 0.5, 0.1


class XidListener:
    """Waits for events of all GPUs. `ready` tells whether the library is initialised, `present` which GPUs there are.

    GPUs that come later join the same set of events: a new set would not hear of what befell meanwhile.
    """

    def __init__(
        self, *, ready: Callable[[], bool], present: Callable[[], frozenset[str]], heard: Heard, note: Note
    ) -> None:
        self._ready, self._present, self._heard, self._note = ready, present, heard, note
        self._uuids: dict[int | None, str] = {}
        self.listening = 0
        """GPUs whose errors are heard of."""

    def work(self, beat: Beat) -> None:
        """Goes on until it is no longer wanted; where NVML has gone it begins anew when that is back."""
        while beat.wanted:
            if not self._ready() or not self._present():
                beat.pause(_IDLE)
                continue
            try:
                self._listen(beat)
            except pynvml.NVMLError as error:
                if beat.wanted:  # at the end the library may be gone first
                    self._note("nvmlEventSetWait", name_of(error))
                beat.pause(_RETRY)

    def _listen(self, beat: Beat) -> None:
        with beat.doing("nvmlEventSetCreate"):
            events = pynvml.nvmlEventSetCreate()
        registered: set[str] = set()
        try:
            while beat.wanted and self._ready():
                present = self._present()
                registered &= present
                for uuid in sorted(present - registered):
                    self._register(beat, uuid, events)
                    registered.add(uuid)
                self.listening = len(registered)
                self._hear(beat, events)
        finally:
            self.listening = 0
            with beat.doing("nvmlEventSetFree"):
                pynvml.nvmlEventSetFree(events)

    def _register(self, beat: Beat, uuid: str, events: Any) -> None:
        try:
            with beat.doing("nvmlDeviceRegisterEvents"):
                handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
                self._uuids[_address(handle)] = uuid
                pynvml.nvmlDeviceRegisterEvents(handle, pynvml.nvmlEventTypeXidCriticalError, events)
        except pynvml.NVMLError as error:
            self._note("nvmlDeviceRegisterEvents", name_of(error))

    def _hear(self, beat: Beat, events: Any) -> None:
        try:
            with beat.doing("nvmlEventSetWait"):
                event = pynvml.nvmlEventSetWait_v2(events, _WAIT_MS)
        except pynvml.NVMLError as error:
            if error.value in UNUSABLE:
                raise
            if error.value != pynvml.NVML_ERROR_TIMEOUT:
                self._note("nvmlEventSetWait_v2", name_of(error))
                beat.pause(_RETRY)
            return
        if event.eventType == pynvml.nvmlEventTypeXidCriticalError and beat.wanted:
            # By its handle: a GPU that fell off the bus does not say any more who it is.
            self._heard(self._uuids.get(_address(event.device), ""), int(event.eventData))


def _address(handle: Any) -> int | None:
    return ctypes.cast(handle, ctypes.c_void_p).value
