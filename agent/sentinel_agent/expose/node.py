"""The metrics under our own names, `sentinel_node_*`. Where dashboards know a quantity by two names, both are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sentinel_agent.expose.text import Family, counter, gauge
from sentinel_agent.gpu.reading import WORKING
from sentinel_agent.observed import Picture, Seen

HEALTHS = ("Healthy", "Degraded", "Failed", "Unknown")
_BUSY = "Seconds of work: its rate is utilisation, bursts between two scrapes included."


def families(picture: Picture, node: str) -> Iterator[Family]:
    """Yields the families of the host, of the GPUs and of the pods."""
    yield from _host(picture, node)
    yield from _gauges(picture, node)
    yield from _counters(picture, node)
    yield from _state(picture, node)
    yield from _of_pods(picture, node)


def _host(picture: Picture, node: str) -> Iterator[Family]:
    host = picture.host
    if host is None:
        return
    percent = gauge("sentinel_node_cpu_percent", "How busy each processor was between the last two samples.")
    busy = counter("sentinel_node_cpu_busy_seconds_total", f"{_BUSY} Since boot.")
    for name, value in picture.cpu_percent.items():
        percent.add(value, node=node, cpu=name)
    for name, cpu in host.cpus.items():
        busy.add(cpu.busy, node=node, cpu=name)
    yield from (percent, busy)
    used = host.memory_total - host.memory_available
    memory: tuple[tuple[str, float | None], ...] = (
        ("memory_bytes_total", host.memory_total),
        ("memory_bytes_available", host.memory_available),
        ("memory_bytes_used", used),
        ("memory_percent", 100 * used / host.memory_total if host.memory_total else None),
    )
    for metric, amount in memory if "memory" not in host.failed else ():
        yield _single(gauge(f"sentinel_node_{metric}", "Memory of the node."), amount, node)
    yield _single(gauge("sentinel_node_uptime_seconds", "Time since boot."), host.uptime, node)
    yield from _storage(picture, node)


def _storage(picture: Picture, node: str) -> Iterator[Family]:
    assert picture.host is not None  # noqa: S101 - for the type checker
    total = gauge("sentinel_node_disk_bytes_total", "Size of the file system.")
    used = gauge("sentinel_node_disk_bytes_used", "Used part of the file system.")
    percent = gauge("sentinel_node_disk_percent", "Used part of the file system.")
    for mountpoint, disk in picture.host.disks.items():
        labels = {"node": node, "device": disk.device, "mountpoint": mountpoint}
        total.add(disk.total, **labels)
        used.add(disk.used, **labels)
        percent.add(100 * disk.used / disk.total if disk.total else None, **labels)
    received = gauge("sentinel_node_network_bytes_recv", "Bytes received since the interface came up.")
    sent = gauge("sentinel_node_network_bytes_sent", "Bytes sent since the interface came up.")
    for interface, traffic in picture.host.network.items():
        received.add(traffic.received, node=node, interface=interface)
        sent.add(traffic.sent, node=node, interface=interface)
    yield from (total, used, percent, received, sent)


def _single(family: Family, value: float | None, node: str) -> Family:
    family.add(value, node=node)
    return family


def _labels(seen: Seen, node: str) -> dict[str, str]:
    identity = seen.reading.identity
    return {"node": node, "gpu": f"gpu{identity.index}", "sku": identity.name, "uuid": identity.uuid}


def _memory_percent(seen: Seen) -> float | None:
    used, total = (seen.reading.gauges.get(f"memory_{each}") for each in ("used", "total"))
    return 100 * used / total if used is not None and total else None


def _of(name: str) -> Callable[[Seen], float | None]:
    return lambda seen: seen.reading.gauges.get(name)


GPU_GAUGES: tuple[tuple[str, str, Callable[[Seen], float | None]], ...] = (
    ("gpu_utilization_percent", "How busy the GPU is.", _of("utilization")),
    ("gpu_utilization_peak_percent", "The busiest sample of the last minute.", lambda seen: seen.peak),
    ("gpu_memory_bytes_used", "Memory of the GPU in use.", _of("memory_used")),
    ("gpu_memory_used_bytes", "Memory of the GPU in use.", _of("memory_used")),
    ("gpu_memory_bytes_total", "Memory of the GPU.", _of("memory_total")),
    ("gpu_memory_total_bytes", "Memory of the GPU.", _of("memory_total")),
    ("gpu_memory_percent", "Memory of the GPU in use.", _memory_percent),
    ("gpu_temperature_celsius", "Temperature of the GPU.", _of("temperature")),
    ("gpu_power_watts", "Power that the GPU draws.", _of("power")),
    ("gpu_power_draw_watts", "Power that the GPU draws.", _of("power")),
    ("gpu_power_limit_watts", "Power that the GPU may draw.", _of("power_limit")),
    ("gpu_fan_speed_percent", "Speed of the GPU's fan.", _of("fan")),
    ("gpu_clock_sm_mhz", "Clock of the GPU's processors.", _of("sm_clock")),
)


def _gauges(picture: Picture, node: str) -> Iterator[Family]:
    for name, text, value in GPU_GAUGES:
        family = gauge(f"sentinel_node_{name}", text)
        for seen in picture.gpus:
            family.add(value(seen) if seen.fresh else None, **_labels(seen, node))
        yield family
    throttled = gauge("sentinel_node_gpu_throttled", "1 for each reason that lowered the clocks in the last seconds.")
    for seen in picture.gpus:
        for reason in seen.throttle:
            throttled.add(1, **_labels(seen, node), reason=reason)
    yield throttled


GPU_COUNTERS = (
    ("busy_seconds", "gpu_busy_seconds_total", _BUSY, ()),
    ("throttle_seconds", "gpu_throttle_seconds_total", "How long a reason lowered the clocks.", ("reason",)),
    ("throttle_events", "gpu_throttle_events_total", "How often a reason began to lower the clocks.", ("reason",)),
    ("pcie_tx_bytes", "gpu_pcie_tx_bytes", "Bytes that the GPU sent.", ()),
    ("pcie_rx_bytes", "gpu_pcie_rx_bytes", "Bytes that the GPU received.", ()),
    ("pod_busy_seconds", "gpu_pod_busy_seconds_total", f"{_BUSY} Of one container.", ("namespace", "pod", "container")),
)
"""Name in the ledger, metric, what it is, and the labels beside the GPU's."""


def _counters(picture: Picture, node: str) -> Iterator[Family]:
    by_uuid = {seen.reading.identity.uuid: _labels(seen, node) for seen in picture.gpus}
    found = {name: counter(f"sentinel_node_{metric}", text) for name, metric, text, _ in GPU_COUNTERS}
    beside = {name: labels for name, _, _, labels in GPU_COUNTERS}
    xid = counter("sentinel_node_xid_total", "Xid errors; one that befell several pods at once has no pod.")
    ecc = counter(
        "sentinel_node_gpu_ecc_errors_total", "Memory errors, since the driver was loaded and summed over that."
    )
    errors = counter("sentinel_node_errors_total", "Calls of NVML, and readings of the host, that failed.")
    for (name, values), total in sorted(picture.totals.counters.items()):
        labels = by_uuid.get(values[0], {"node": node, "gpu": "", "sku": "", "uuid": values[0]})
        if name in found:
            found[name].add(total, **labels, **dict(zip(beside[name], values[1:], strict=True)))
        elif name == "xid":
            told = dict(zip(("xid", "severity", "namespace", "pod"), values[1:], strict=True))
            xid.add(total, **labels, **told)
        elif name in ("ecc_corrected_volatile", "ecc_uncorrected_volatile"):
            ecc.add(total, **labels, type=name.split("_")[1])
        elif name == "errors":
            errors.add(total, node=node, call=values[0], error=values[1])
    yield from (*found.values(), xid, ecc, errors)


def _state(picture: Picture, node: str) -> Iterator[Family]:
    library = picture.library
    up = gauge("sentinel_node_nvml_up", "1 while NVML answers; `state` says what is wrong otherwise.")
    up.add(library.state == WORKING, node=node, state=library.state, driver=library.driver_version)
    missing = gauge("sentinel_node_nvml_function_missing", "1 for each function that the driver's library lacks.")
    for function in library.missing:
        missing.add(1, node=node, function=function)
    hanging = gauge("sentinel_node_nvml_call_hanging", "1 while a call does not come back.")
    if library.hanging:
        hanging.add(1, node=node, function=library.hanging)
    health = gauge("sentinel_node_gpu_health", "1 for the health that the GPU has.")
    for seen in picture.gpus:
        for each in HEALTHS:
            health.add(each == seen.verdict.health, **_labels(seen, node), health=each)
    healthy = gauge("sentinel_node_gpu_healthy", "Whether the node's GPUs are healthy: 1, 0, or -1 where unknown.")
    healthy.add(
        {"True": 1, "False": 0, "Unknown": -1}[picture.overall.status], node=node, reason=picture.overall.reason
    )
    kubelet = gauge("sentinel_node_kubelet_up", "1 while the kubelet tells who was given which device.")
    kubelet.add(not picture.kubelet_error, node=node)
    yield from (up, missing, hanging, health, healthy, kubelet)


def _of_pods(picture: Picture, node: str) -> Iterator[Family]:
    utilization = gauge("sentinel_node_gpu_pod_utilization_percent", "Part of the GPU's time that a container takes.")
    memory = gauge("sentinel_node_gpu_pod_memory_used_bytes", "Memory of the GPU that a container uses.")
    for seen in picture.gpus:
        for share in seen.shares if seen.fresh else ():
            whose = share.container
            names = {"namespace": whose.namespace, "pod": whose.pod, "container": whose.container}
            utilization.add(share.utilization, **_labels(seen, node), **names)
            memory.add(share.memory, **_labels(seen, node), **names)
    cpu = counter("sentinel_node_pod_cpu_busy_seconds_total", f"{_BUSY} Of one pod, since it began.")
    working = gauge("sentinel_node_pod_memory_bytes", "Memory that a pod uses, its files in the cache included.")
    for (namespace, pod), usage in sorted(picture.pods.items()):
        cpu.add(usage.cpu_seconds, node=node, namespace=namespace, pod=pod)
        working.add(usage.memory, node=node, namespace=namespace, pod=pod)
    yield from (utilization, memory, cpu, working)
