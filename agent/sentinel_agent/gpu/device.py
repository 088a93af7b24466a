"""One GPU asked for everything: what changes each second, what changes slowly, its parts and its processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pynvml

from sentinel_agent.gpu.nvml import DeviceGone, Nvml
from sentinel_agent.gpu.reading import Identity, Part, Reading, Work
from sentinel_agent.gpu.throttle import reasons

Handle = Any
_NO_INSTANCE = 0xFFFFFFFF
_CORRECTED, _UNCORRECTED = pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED
_FIELDS = {
    pynvml.NVML_FI_DEV_MEMORY_TEMP: "memory_temperature",
    pynvml.NVML_FI_DEV_PCIE_COUNT_TX_BYTES: "pcie_tx_bytes",
    pynvml.NVML_FI_DEV_PCIE_COUNT_RX_BYTES: "pcie_rx_bytes",
}
_VITAL = frozenset({"utilization", "memory_total", "temperature", "power"})
_SHARE_SECONDS = 5
_COUNTED = frozenset({"pcie_tx_bytes", "pcie_rx_bytes"})


@dataclass(slots=True)
class Device:
    """A GPU that NVML gave a handle for; keeps what was last read of what changes slowly."""

    handle: Handle
    identity: Identity
    _gauges: dict[str, float] = field(default_factory=dict)
    _counters: dict[str, float] = field(default_factory=dict)
    _parts: tuple[Part, ...] = ()
    _mig: bool = False
    _seen: int = 0
    _shares: dict[int, tuple[int, float]] = field(default_factory=dict)
    """By process: when NVML sampled it (µs), and its part of the GPU."""

    def read(self, nvml: Nvml, *, slow: bool) -> Reading:
        """Reads it; raises DeviceGone or LibraryUnusable."""
        if slow:
            self._read_slow(nvml)
        gauges, counters = dict(self._gauges), dict(self._counters)
        self._read_fast(nvml, gauges)
        if not gauges.keys() & _VITAL:
            raise DeviceGone("Silent")  # it is there by name, and answers nothing
        self._put(counters, "energy", self._ask(nvml, pynvml.nvmlDeviceGetTotalEnergyConsumption))
        bits = self._ask(nvml, pynvml.nvmlDeviceGetCurrentClocksEventReasons)
        if bits is None:
            bits = self._ask(nvml, pynvml.nvmlDeviceGetCurrentClocksThrottleReasons)
        return Reading(
            identity=self.identity,
            gauges=gauges,
            counters=counters,
            throttle=reasons(bits or 0),
            work=self._work(nvml),
            mig=self._mig,
            parts=self._parts,
        )

    def _ask(self, nvml: Nvml, function: Callable[..., Any], *arguments: Any) -> Any:
        return nvml.ask(self.identity.uuid, function, self.handle, *arguments)

    def _read_fast(self, nvml: Nvml, gauges: dict[str, float]) -> None:
        rates = self._ask(nvml, pynvml.nvmlDeviceGetUtilizationRates)
        if rates is not None:
            gauges.update(utilization=rates.gpu, memory_utilization=rates.memory)
        memory = self._ask(nvml, pynvml.nvmlDeviceGetMemoryInfo, pynvml.nvmlMemory_v2)
        if memory is not None:
            gauges.update(memory_reserved=memory.reserved)
        else:
            memory = self._ask(nvml, pynvml.nvmlDeviceGetMemoryInfo)
        if memory is not None:
            gauges.update(memory_used=memory.used, memory_free=memory.free, memory_total=memory.total)
        milliwatts = self._ask(nvml, pynvml.nvmlDeviceGetPowerUsage)
        self._put(gauges, "power", None if milliwatts is None else milliwatts / 1000)
        self._put(gauges, "temperature", self._ask(nvml, pynvml.nvmlDeviceGetTemperature, pynvml.NVML_TEMPERATURE_GPU))
        self._put(gauges, "sm_clock", self._ask(nvml, pynvml.nvmlDeviceGetClockInfo, pynvml.NVML_CLOCK_SM))
        self._put(gauges, "memory_clock", self._ask(nvml, pynvml.nvmlDeviceGetClockInfo, pynvml.NVML_CLOCK_MEM))

    def _read_slow(self, nvml: Nvml) -> None:
        gauges: dict[str, float] = {}
        counters: dict[str, float] = {}
        for name, function in (
            ("encoder_utilization", pynvml.nvmlDeviceGetEncoderUtilization),
            ("decoder_utilization", pynvml.nvmlDeviceGetDecoderUtilization),
        ):
            answer = self._ask(nvml, function)  # and the period that it is about, in µs
            self._put(gauges, name, answer[0] if answer else None)
        limit = self._ask(nvml, pynvml.nvmlDeviceGetEnforcedPowerLimit)
        self._put(gauges, "power_limit", None if limit is None else limit / 1000)
        self._put(gauges, "fan", self._ask(nvml, pynvml.nvmlDeviceGetFanSpeed))
        self._put(counters, "pcie_replay", self._ask(nvml, pynvml.nvmlDeviceGetPcieReplayCounter))
        self._read_errors(nvml, gauges, counters)
        self._read_fields(nvml, gauges, counters)
        for name, policy in (
            ("power_violation", pynvml.NVML_PERF_POLICY_POWER),
            ("thermal_violation", pynvml.NVML_PERF_POLICY_THERMAL),
        ):
            violation = self._ask(nvml, pynvml.nvmlDeviceGetViolationStatus, policy)
            self._put(counters, name, None if violation is None else violation.violationTime / 1000)
        mode = self._ask(nvml, pynvml.nvmlDeviceGetMigMode)
        self._mig = bool(mode and mode[0] == pynvml.NVML_DEVICE_MIG_ENABLE)
        self._parts = self._read_parts(nvml) if self._mig else ()
        self._gauges, self._counters = gauges, counters

    def _read_errors(self, nvml: Nvml, gauges: dict[str, float], counters: dict[str, float]) -> None:
        for kind, scope in (("volatile", pynvml.NVML_VOLATILE_ECC), ("aggregate", pynvml.NVML_AGGREGATE_ECC)):
            for name, error in (("corrected", _CORRECTED), ("uncorrected", _UNCORRECTED)):
                count = self._ask(nvml, pynvml.nvmlDeviceGetTotalEccErrors, error, scope)
                self._put(counters, f"ecc_{name}_{kind}", count)
        rows = self._ask(nvml, pynvml.nvmlDeviceGetRemappedRows)
        if rows is not None:
            counters["remapped_corrected"], counters["remapped_uncorrected"] = rows[0], rows[1]
            gauges["remap_pending"], gauges["remap_failed"] = rows[2], rows[3]

    def _read_fields(self, nvml: Nvml, gauges: dict[str, float], counters: dict[str, float]) -> None:
        for value in self._ask(nvml, pynvml.nvmlDeviceGetFieldValues, list(_FIELDS)) or ():
            name = _FIELDS[value.fieldId]
            if value.nvmlReturn != pynvml.NVML_SUCCESS:
                continue
            unsigned = value.valueType == pynvml.NVML_VALUE_TYPE_UNSIGNED_INT
            (counters if name in _COUNTED else gauges)[name] = value.value.uiVal if unsigned else value.value.ullVal

    def _read_parts(self, nvml: Nvml) -> tuple[Part, ...]:
        parts = []
        for index in range(self._ask(nvml, pynvml.nvmlDeviceGetMaxMigDeviceCount) or 0):
            handle = _quietly(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, self.handle, index)
            if handle is not None:
                parts.append(_part(nvml, handle))
        return tuple(part for part in parts if part.uuid)

    def _work(self, nvml: Nvml) -> tuple[Work, ...]:
        processes = self._ask(nvml, pynvml.nvmlDeviceGetComputeRunningProcesses_v3)
        if processes is None:  # before driver 510
            processes = self._ask(nvml, pynvml.nvmlDeviceGetComputeRunningProcesses_v2) or []
        shares = self._sample(nvml) if processes and not self._mig else {}
        return tuple(
            Work(
                pid=process.pid,
                memory=process.usedGpuMemory,
                utilization=shares[process.pid][1] if process.pid in shares else None,
                gpu_instance=_instance(process.gpuInstanceId),
                compute_instance=_instance(process.computeInstanceId),
            )
            for process in processes
        )

    def _sample(self, nvml: Nvml) -> dict[int, tuple[int, float]]:
        """Gives each process's part; one without a new sample keeps the last for some seconds."""
        for sample in self._ask(nvml, pynvml.nvmlDeviceGetProcessUtilization, self._seen) or ():
            known = self._shares.get(sample.pid, (0, 0.0))
            self._shares[sample.pid] = max(known, (int(sample.timeStamp), float(sample.smUtil)))
        newest = max((at for at, _ in self._shares.values()), default=0)
        self._seen = max(self._seen, newest)
        oldest = time.time_ns() // 1000 - _SHARE_SECONDS * 1_000_000
        self._shares = {pid: share for pid, share in self._shares.items() if share[0] >= oldest}
        return self._shares

    @staticmethod
    def _put(into: dict[str, float], name: str, value: float | None) -> None:
        if value is not None:
            into[name] = value


def _part(nvml: Nvml, handle: Handle) -> Part:
    uuid = nvml.ask("", pynvml.nvmlDeviceGetUUID, handle) or ""
    name = nvml.ask(uuid, pynvml.nvmlDeviceGetName, handle) or ""
    memory = nvml.ask(uuid, pynvml.nvmlDeviceGetMemoryInfo, handle)
    return Part(
        uuid=uuid,
        profile=name.rpartition("MIG ")[2] if "MIG " in name else "",
        gpu_instance=nvml.ask(uuid, pynvml.nvmlDeviceGetGpuInstanceId, handle),
        compute_instance=nvml.ask(uuid, pynvml.nvmlDeviceGetComputeInstanceId, handle),
        memory_used=memory.used if memory else None,
        memory_total=memory.total if memory else None,
    )


def _instance(number: int) -> int | None:
    return None if number == _NO_INSTANCE else number


def _quietly(function: Callable[..., Any], *arguments: Any) -> Any:
    """A place without a MIG device is no error worth a note."""
    try:
        return function(*arguments)
    except pynvml.NVMLError:
        return None
