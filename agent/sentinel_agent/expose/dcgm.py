"""The metrics of dcgm-exporter that NVML can tell: the same names, labels and units, so that its dashboards work.

Source: dcgm-exporter's etc/default-counters.csv. Where several containers share a GPU, its utilisation and its memory
are told of each by itself, and what is nobody's without a pod: their sum is the GPU's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sentinel_agent.expose.text import Family, counter, gauge
from sentinel_agent.gpu.reading import MIB, Part
from sentinel_agent.observed import Picture, Seen
from sentinel_agent.pods.ownership import Share

Labels = dict[str, str]
Labelled = list[tuple[Seen, Labels]]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    help: str
    source: str
    factor: float = 1.0


GAUGES = (
    _Field("DCGM_FI_DEV_SM_CLOCK", "SM clock frequency (in MHz).", "sm_clock"),
    _Field("DCGM_FI_DEV_MEM_CLOCK", "Memory clock frequency (in MHz).", "memory_clock"),
    _Field("DCGM_FI_DEV_MEMORY_TEMP", "Memory temperature (in C).", "memory_temperature"),
    _Field("DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C).", "temperature"),
    _Field("DCGM_FI_DEV_POWER_USAGE", "Power draw (in W).", "power"),
    _Field("DCGM_FI_DEV_MEM_COPY_UTIL", "Memory utilization (in %).", "memory_utilization"),
    _Field("DCGM_FI_DEV_ENC_UTIL", "Encoder utilization (in %).", "encoder_utilization"),
    _Field("DCGM_FI_DEV_DEC_UTIL", "Decoder utilization (in %).", "decoder_utilization"),
    _Field("DCGM_FI_DEV_FB_FREE", "Framebuffer memory free (in MiB).", "memory_free", 1 / MIB),
    _Field("DCGM_FI_DEV_FB_RESERVED", "Framebuffer memory reserved (in MiB).", "memory_reserved", 1 / MIB),
    _Field("DCGM_FI_DEV_ROW_REMAP_FAILURE", "Whether remapping of rows has failed", "remap_failed"),
)
COUNTERS = (
    _Field("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "Total energy consumption since boot (in mJ).", "energy"),
    _Field("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "Total number of PCIe retries.", "pcie_replay"),
    _Field("DCGM_FI_DEV_PCIE_TX_THROUGHPUT", "Total number of bytes sent by PCIe (in KB).", "pcie_tx_bytes", 1 / 1024),
    _Field("DCGM_FI_DEV_PCIE_RX_THROUGHPUT", "Total number of bytes got by PCIe (in KB).", "pcie_rx_bytes", 1 / 1024),
    _Field("DCGM_FI_DEV_POWER_VIOLATION", "Throttling duration due to power (in us).", "power_violation"),
    _Field("DCGM_FI_DEV_THERMAL_VIOLATION", "Throttling duration due to heat (in us).", "thermal_violation"),
    _Field("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "Single-bit volatile ECC errors.", "ecc_corrected_volatile"),
    _Field("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "Double-bit volatile ECC errors.", "ecc_uncorrected_volatile"),
    _Field("DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", "Single-bit persistent ECC errors.", "ecc_corrected_aggregate"),
    _Field("DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", "Double-bit persistent ECC errors.", "ecc_uncorrected_aggregate"),
    _Field("DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", "Rows remapped for correctable errors", "remapped_corrected"),
    _Field("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "Rows remapped for uncorrectable errors", "remapped_uncorrected"),
)


def families(picture: Picture, node: str) -> Iterator[Family]:
    """Yields the families."""
    labelled = [(seen, _labels(seen, picture, node)) for seen in picture.gpus]
    for field in GAUGES:
        family = gauge(field.name, field.help)
        for seen, labels in labelled:
            value = seen.reading.gauges.get(field.source) if seen.fresh else None
            family.add(None if value is None else value * field.factor, **labels)
        yield family
    for field in COUNTERS:
        family = counter(field.name, field.help)
        for seen, labels in labelled:
            total = picture.totals.counters.get((field.source, (seen.reading.identity.uuid,)))
            family.add(None if total is None else total * field.factor, **labels)
        yield family
    yield _xids(labelled)
    utilization = gauge("DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %).")
    _divide(utilization, labelled, whole=_utilization, of=lambda share: share.utilization)
    yield utilization
    used = gauge("DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB).")
    _divide(used, labelled, whole=_memory, of=lambda share: None if share.memory is None else share.memory / MIB)
    _add_parts(used, labelled)
    yield used


def _xids(labelled: Labelled) -> Family:
    family = gauge("DCGM_FI_DEV_XID_ERRORS", "Value of the last XID error encountered.")
    for seen, labels in labelled:
        family.add(seen.befallen.code if seen.befallen else 0, **labels)
    return family


def _utilization(seen: Seen) -> float | None:
    return seen.reading.gauges.get("utilization")


def _memory(seen: Seen) -> float | None:
    used = seen.reading.gauges.get("memory_used")
    return None if used is None else used / MIB


def _divide(
    family: Family,
    labelled: Labelled,
    *,
    whole: Callable[[Seen], float | None],
    of: Callable[[Share], float | None],
) -> None:
    """Tells of each container that shares a GPU, and of what is left; of one alone the whole."""
    for seen, labels in labelled:
        total = whole(seen)
        if not seen.fresh or total is None:
            continue
        parts = [(share, value) for share in seen.shares if (value := of(share)) is not None]
        if len(seen.shares) > 1 and parts and not seen.reading.mig:
            for share, value in parts:
                family.add(value, **{**labels, **_names(share)})
            total = max(0.0, total - sum(value for _, value in parts))
        family.add(total, **labels)


def _add_parts(family: Family, labelled: Labelled) -> None:
    for seen, labels in labelled:
        for part in seen.reading.parts if seen.fresh else ():
            used = None if part.memory_used is None else part.memory_used / MIB
            family.add(used, **_part_labels(seen, part, labels))


def _labels(seen: Seen, picture: Picture, node: str) -> Labels:
    """One container alone on the GPU is named by every metric of it."""
    identity = seen.reading.identity
    whose = seen.shares[0] if len(seen.shares) == 1 and not seen.reading.mig else None
    return {
        "gpu": str(identity.index),
        "UUID": identity.uuid,
        "pci_bus_id": identity.pci_bus_id,
        "device": f"nvidia{identity.index if identity.minor is None else identity.minor}",
        "modelName": identity.name,
        "Hostname": node,
        "DCGM_FI_DRIVER_VERSION": picture.library.driver_version,
        **_names(whose),
    }


def _part_labels(seen: Seen, part: Part, labels: Labels) -> Labels:
    whose = seen.part_shares.get(part.uuid, ())
    instance = "" if part.gpu_instance is None else str(part.gpu_instance)
    named = _names(whose[0] if len(whose) == 1 else None)
    return {**labels, "GPU_I_PROFILE": part.profile, "GPU_I_ID": instance, **named}


def _names(share: Share | None) -> Labels:
    whose = share.container if share else None
    return {
        "namespace": whose.namespace if whose else "",
        "pod": whose.pod if whose else "",
        "container": whose.container if whose else "",
    }
