"""The file that drives the fake GPUs: `[driver]`, `[gpu 0]`, `[process 0 4242]`, `[mig 0 1]`, `[xid 3]` and their keys.

A person may edit it in any editor. Here it is changed under a lock and put in place whole, so that no reader ever sees
half of it. A key of a GPU that is not there is something that the GPU does not support.
"""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = "SENTINEL_FAULT_FILE"
"""Names the file to the library."""

THROTTLES: Mapping[str, int] = {
    "idle": 0x1,
    "sw-power-cap": 0x4,
    "hw-slowdown": 0x8,
    "sync-boost": 0x10,
    "sw-thermal": 0x20,
    "hw-thermal": 0x40,
    "hw-power-brake": 0x80,
}
"""Reasons for lower clocks, by the bit that NVML gives for each."""

_HEALTHY: Mapping[str, float] = {
    "utilization": 0, "memory-utilization": 0, "encoder-utilization": 0, "decoder-utilization": 0,
    "memory-used": 512, "memory-reserved": 300, "power": 60, "power-limit": 350, "temperature": 35,
    "memory-temperature": 40, "sm-clock": 1410, "memory-clock": 1593, "throttle": 0,
    "ecc-corrected": 0, "ecc-uncorrected": 0, "ecc-corrected-total": 0, "ecc-uncorrected-total": 0,
    "remapped-corrected": 0, "remapped-uncorrected": 0, "remap-pending": 0, "remap-failed": 0,
    "energy": 0, "pcie-replay": 0, "pcie-tx": 0, "pcie-rx": 0, "power-violation": 0, "thermal-violation": 0,
}  # fmt: skip

Value = str | float | bool


@dataclass(frozen=True, slots=True)
class FaultFile:
    """One such file; every method changes it at once and whole."""

    path: Path

    def create(self, *, gpus: int = 1, name: str = "NVIDIA H100 80GB HBM3", memory: int = 81559) -> None:
        """Begins anew with idle, healthy GPUs; `memory` is in MiB."""
        with self._edited(fresh=True) as sections:
            sections["driver"] = {"loaded": "yes", "version": "570.00"}
            for index in range(gpus):
                sections[f"gpu {index}"] = {"name": name, "memory-total": str(memory), **_texts(_HEALTHY)}

    def set(self, section: str, **values: Value) -> None:
        """Sets keys of a section, which is made where it is missing; `_` in a name stands for `-`."""
        with self._edited() as sections:
            if not sections.has_section(section):
                sections.add_section(section)
            sections[section].update(_texts(values))

    def unset(self, section: str, *keys: str) -> None:
        """Removes keys of a section."""
        with self._edited() as sections:
            for key in keys:
                sections.remove_option(section, key.replace("_", "-"))

    def remove(self, section: str) -> dict[str, str]:
        """Removes a section, a GPU that vanishes for one, and gives what it held."""
        with self._edited() as sections:
            held = dict(sections[section]) if sections.has_section(section) else {}
            sections.remove_section(section)
            return held

    def gpu(self, index: int, **values: Value) -> None:
        """Sets what a GPU measures: `gpu(0, utilization=90, power=300)`."""
        self.set(f"gpu {index}", **values)

    def throttle(self, index: int, *reasons: str) -> None:
        """Sets the reasons for lower clocks, by their names in THROTTLES; none ends the throttling."""
        self.set(f"gpu {index}", throttle=sum(THROTTLES[reason] for reason in reasons))

    def process(self, gpu: int, pid: int, **values: Value) -> None:
        """Puts a process on a GPU: `memory` in MiB, `utilization` in percent, `mig` the part that it is on."""
        self.set(f"process {gpu} {pid}", **{"memory": 0, **values})

    def xid(self, gpu: int, code: int, **values: Value) -> int:
        """Makes an Xid befall a GPU, and gives its number in the file."""
        with self._edited() as sections:
            numbers = [int(name.split()[1]) for name in sections.sections() if name.startswith("xid ")]
            number = max(numbers, default=0) + 1
            sections[f"xid {number}"] = {"gpu": str(gpu), "code": str(code), **_texts(values)}
            return number

    def sections(self) -> dict[str, dict[str, str]]:
        """Gives all that the file says."""
        return {name: dict(keys) for name, keys in self._read().items() if name != "DEFAULT"}

    def _read(self) -> configparser.ConfigParser:
        parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        parser.read(self.path)
        return parser

    @contextlib.contextmanager
    def _edited(self, *, fresh: bool = False) -> Iterator[configparser.ConfigParser]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f".{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            parser = configparser.ConfigParser(interpolation=None, delimiters=("=",)) if fresh else self._read()
            yield parser
            partial = self.path.with_name(f".{self.path.name}.new")
            with partial.open("w") as out:
                parser.write(out)
            partial.chmod(0o644)  # pods of any user read it
            os.replace(partial, self.path)  # noqa: PTH105 - the name says that it is atomic


def _texts(values: Mapping[str, Value]) -> dict[str, str]:
    return {key.replace("_", "-"): _text(value) for key, value in values.items()}


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) and value < 1e6 else str(value)
