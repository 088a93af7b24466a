"""NVML asked one question at a time: an answer, or None and a note of why there is none.

Made for one thread. Each question is announced before it is asked, so that another thread sees which one hangs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pynvml

from sentinel_agent.workers import Beat

GONE = frozenset({pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_GPU_NOT_FOUND})
UNUSABLE = frozenset(
    {pynvml.NVML_ERROR_UNINITIALIZED, pynvml.NVML_ERROR_DRIVER_NOT_LOADED, pynvml.NVML_ERROR_LIBRARY_NOT_FOUND}
)
_LASTING = frozenset(
    {
        pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
        pynvml.NVML_ERROR_NO_PERMISSION,
        pynvml.NVML_ERROR_INVALID_ARGUMENT,
        pynvml.NVML_ERROR_NOT_FOUND,
        pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
        pynvml.NVML_ERROR_DEPRECATED,
    }
)
"""What the next second would not answer either."""
_NAMES = {
    getattr(pynvml, name): "".join(word.capitalize() for word in name.removeprefix("NVML_ERROR_").split("_"))
    for name in dir(pynvml)
    if name.startswith("NVML_ERROR_")
}

Note = Callable[[str, str], None]
"""Takes the function and the name of the error."""


class LibraryUnusable(Exception):  # noqa: N818 - an outcome
    """Nothing can be asked any more until NVML is initialised anew; `state` says why."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class DeviceGone(Exception):  # noqa: N818 - an outcome
    """The device does not answer."""


def name_of(error: pynvml.NVMLError) -> str:
    """Names an error: `DriverNotLoaded`."""
    return _NAMES.get(error.value, f"Error{error.value}")


class Suspects:
    """Calls that hang in other threads, by device and function. What hangs twice is at fault as a whole: a function
    on two devices, or a device in two functions."""

    def __init__(self) -> None:
        self._calls: frozenset[tuple[str, str]] = frozenset()

    def add(self, about: str, function: str) -> None:
        """Takes that a call hangs."""
        self._calls |= {(about, function)}

    def discard(self, about: str, function: str) -> None:
        """Takes that it has come back."""
        self._calls -= {(about, function)}

    def function(self, about: str, name: str) -> bool:
        """Tells whether to do without this answer."""
        return (about, name) in self._calls or sum(function == name for _, function in self._calls) > 1

    def device(self, about: str) -> bool:
        """Tells whether to do without the device."""
        return sum(device == about for device, _ in self._calls) > 1

    @property
    def named(self) -> str:
        """Names one of the functions, or nothing."""
        return min((function for _, function in self._calls), default="")


class Nvml:
    """The library, initialised. `missing` are the functions that it turned out to lack."""

    def __init__(self, beat: Beat, note: Note, suspects: Suspects) -> None:
        self._beat, self._note, self._suspects = beat, note, suspects
        self.missing: set[str] = set()
        self._unsupported: set[tuple[str, str]] = set()
        self.driver_version = ""

    def open(self) -> None:
        """Initialises the library; raises LibraryUnusable."""
        try:
            with self._beat.doing("nvmlInit"):
                pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            self._note("nvmlInit", name_of(error))
            raise LibraryUnusable(name_of(error)) from error
        self.relearn()
        self.driver_version = self.ask("", pynvml.nvmlSystemGetDriverVersion) or ""

    def close(self) -> None:
        """Lets go of the library, whatever it says to that."""
        try:
            with self._beat.doing("nvmlShutdown"):
                pynvml.nvmlShutdown()
        except pynvml.NVMLError as error:
            self._note("nvmlShutdown", name_of(error))

    def relearn(self) -> None:
        """Forgets what is not supported, so that it is asked for again."""
        self.missing.clear()
        self._unsupported.clear()

    def ask(self, about: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Gives the answer; None where there is none, and until `relearn` is not asked for again then.

        Raises DeviceGone or LibraryUnusable where no further question makes sense. `about` is a device's uuid. What
        hangs in another thread is not asked again; without an answer about no device in particular nothing goes on.
        """
        name = function.__name__
        if self._suspects.function(about, name):
            if about:
                return None
            raise LibraryUnusable("Hanging")
        if about and self._suspects.device(about):
            raise DeviceGone("Hanging")
        key = (about, name + (str(arguments[1:]) if len(arguments) > 1 else ""))
        if key in self._unsupported:
            return None
        try:
            with self._beat.doing(name, about):
                return function(*arguments)
        except pynvml.NVMLError as error:
            self._refused(key, name, error)
            return None
        finally:
            if not self._beat.wanted:  # it hung, and has come back
                self._suspects.discard(about, name)

    def _refused(self, key: tuple[str, str], name: str, error: pynvml.NVMLError) -> None:
        code = error.value
        if code == pynvml.NVML_ERROR_NOT_SUPPORTED:
            if key[0]:
                self._unsupported.add(key)
            return  # as it is meant to be: worth no note
        if name == "nvmlDeviceGetProcessUtilization" and code == pynvml.NVML_ERROR_NOT_FOUND:
            return  # nobody worked
        self._note(name, name_of(error))
        if code in UNUSABLE:
            raise LibraryUnusable(name_of(error)) from error
        if code in GONE:
            raise DeviceGone(name_of(error)) from error
        if code in _LASTING and key[0]:  # what is about no device in particular may be answered for the next one
            self._unsupported.add(key)
        if code == pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
            self.missing.add(name)
