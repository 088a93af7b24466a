"""Whatever befalls the driver or a GPU, the rest is served, and what is wrong shows."""

from __future__ import annotations

import signal
import time

import pytest

from sentinel_faultkit import library
from tests.integration.agent.conftest import Start
from tests.support.agentnode import Node, Running

pytestmark = pytest.mark.integration

FIRST, SECOND = (f"GPU-0000000{index}-0000-0000-0000-000000000000" for index in (0, 1))
OF_THE_PROCESS = ("sentinel_node_worker", "sentinel_node_report")
"""Counters of the agent itself, which begin with it."""


def state(agent: Running) -> set[str]:
    return {dict(labels)["state"] for (name, labels), _ in agent.metrics().items() if name == "sentinel_node_nvml_up"}


def healthy(agent: Running) -> dict[str, float]:
    samples = agent.metrics().items()
    return {dict(labels)["reason"]: value for (name, labels), value in samples if name == "sentinel_node_gpu_healthy"}


def health(agent: Running, uuid: str) -> str:
    samples = agent.metrics().items()
    (found,) = [
        dict(labels)["health"]
        for (name, labels), value in samples
        if name == "sentinel_node_gpu_health" and value and ("uuid", uuid) in labels
    ]
    return found


def host_is_served(agent: Running) -> bool:
    return agent.value("sentinel_node_memory_bytes_total") == 1024 * 1024 and agent.get("/readyz")[0] == 200


def test_without_the_library_the_host_is_served(node: Node, start: Start):
    agent = start(folder=node.folder)
    agent.until(lambda: state(agent) == {"LibraryNotFound"})
    agent.until(lambda: host_is_served(agent))
    assert healthy(agent) == {"NoGPU": 1}, "a node without GPUs is at no fault"
    assert agent.value("sentinel_node_errors_total", call="nvmlInit", error="LibraryNotFound") >= 1
    required = start(folder=node.folder, gpu="required")
    required.until(lambda: healthy(required) == {"LibraryNotFound": 0})


def test_a_driver_that_is_unloaded_and_loaded_again(node: Node, start: Start):
    node.gpus.set("driver", loaded="no")
    agent = start()
    agent.until(lambda: state(agent) == {"DriverNotLoaded"} and host_is_served(agent))
    assert healthy(agent) == {"NoGPU": 1}
    node.gpus.set("driver", loaded="yes")
    agent.until(lambda: state(agent) == {"Working"} and health(agent, FIRST) == "Healthy")
    node.gpus.gpu(0, energy=5000)
    agent.until(lambda: agent.value("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", UUID=FIRST) == 5000)
    node.gpus.set("driver", loaded="no")
    agent.until(lambda: healthy(agent) == {"DriverNotLoaded": 0} and health(agent, FIRST) == "Unknown")
    assert agent.values("DCGM_FI_DEV_GPU_TEMP") == [], "what was true before is not told as if it were now"
    assert agent.value("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", UUID=FIRST) == 5000
    assert host_is_served(agent)
    node.gpus.set("driver", loaded="yes")
    agent.until(lambda: healthy(agent) == {"AllHealthy": 1})


def test_a_function_that_the_library_lacks_costs_only_what_it_tells(node: Node, start: Start):
    agent = start(folder=library.build(without=["nvmlDeviceGetPowerUsage"]))
    agent.until(lambda: agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=FIRST) == 35)
    assert agent.values("DCGM_FI_DEV_POWER_USAGE") == []
    assert agent.value("sentinel_node_nvml_function_missing", function="nvmlDeviceGetPowerUsage") == 1
    assert agent.value("sentinel_node_errors_total", call="nvmlDeviceGetPowerUsage", error="FunctionNotFound") >= 1
    assert healthy(agent) == {"AllHealthy": 1}


def test_a_gpu_that_is_lost_costs_only_its_own(node: Node, start: Start):
    agent = start()
    agent.until(lambda: healthy(agent) == {"AllHealthy": 1})
    node.gpus.gpu(0, lost=True)
    agent.until(lambda: health(agent, FIRST) == "Failed")
    agent.until(lambda: agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=SECOND) == 35)
    assert agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=FIRST) is None
    assert healthy(agent) == {"GPUFailed": 0}
    assert health(agent, SECOND) == "Healthy"
    node.gpus.gpu(0, lost=False)
    agent.until(lambda: healthy(agent) == {"AllHealthy": 1})


def test_a_gpu_that_was_lost_before_anybody_saw_it_is_not_overlooked(node: Node, start: Start):
    node.gpus.gpu(1, lost=True)
    agent = start()
    agent.until(lambda: healthy(agent) == {"GPUFailed": 0} and health(agent, FIRST) == "Healthy")


def test_a_gpu_that_vanishes_and_returns_keeps_its_counters(node: Node, start: Start):
    agent = start()
    node.gpus.gpu(0, energy=7000, ecc_corrected=5, utilization=100)
    node.gpus.gpu(1, utilization=0)
    agent.until(lambda: agent.value("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", UUID=FIRST) == 5)
    agent.until(lambda: (agent.value("sentinel_node_gpu_busy_seconds_total", uuid=FIRST) or 0) > 0.2)
    agent.until(lambda: agent.value("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", UUID=FIRST) == 7000)
    agent.until(lambda: agent.value("sentinel_node_xid_listening") == 2)
    node.gpus.xid(0, 79)
    agent.until(lambda: agent.value("sentinel_node_xid_total", uuid=FIRST, xid="79", severity="Fatal") == 1)
    before = agent.counters()
    held = node.gpus.remove("gpu 0")
    agent.until(lambda: agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=FIRST) is None)
    assert health(agent, FIRST) == "Failed"
    agent.until(lambda: health(agent, SECOND) == "Healthy")
    gone = agent.counters()
    node.gpus.set("gpu 0", **{**held, "energy": "300", "ecc-corrected": "1"})
    agent.until(lambda: health(agent, FIRST) == "Healthy")  # it was reset: what was fatal before is over
    agent.until(lambda: agent.value("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", UUID=FIRST) == 7300)
    agent.until(lambda: agent.value("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", UUID=FIRST) == 6)
    after = agent.counters()
    for earlier, later in ((before, gone), (gone, after)):
        for key, value in earlier.items():
            assert later[key] >= value, key
    assert agent.value("sentinel_node_xid_total", uuid=FIRST) == 1


def test_a_call_that_hangs_costs_only_what_it_tells(node: Node, start: Start):
    agent = start()
    agent.until(lambda: healthy(agent) == {"AllHealthy": 1})
    node.gpus.set("driver", hang="nvmlDeviceGetPowerUsage")
    agent.until(lambda: healthy(agent) == {"NvmlHanging": 0})
    assert agent.value("sentinel_node_nvml_call_hanging", function="nvmlDeviceGetPowerUsage") == 1
    assert host_is_served(agent)
    node.gpus.gpu(1, temperature=77)
    node.gpus.gpu(0, temperature=66)
    agent.until(lambda: agent.values("DCGM_FI_DEV_GPU_TEMP", UUID=SECOND) == [77])
    assert agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=FIRST) == 66
    assert agent.value("DCGM_FI_DEV_POWER_USAGE", UUID=FIRST) is None
    assert agent.value("sentinel_node_worker_threads_given_up", worker="nvml") >= 1
    node.gpus.set("driver", hang="")
    agent.until(lambda: healthy(agent) == {"AllHealthy": 1})
    agent.until(lambda: agent.value("DCGM_FI_DEV_POWER_USAGE", UUID=FIRST) == 60)
    agent.until(lambda: agent.value("sentinel_node_worker_threads_given_up", worker="nvml") == 0)


def test_a_driver_that_hangs_altogether_stops_neither_the_host_nor_the_end(node: Node, start: Start):
    node.gpus.set("driver", hang="nvmlInitWithFlags")
    agent = start(gpu="required")
    agent.until(lambda: healthy(agent) == {"Hanging": 0} or healthy(agent) == {"NvmlHanging": 0})
    assert host_is_served(agent)
    assert agent.stop() == 0


def test_a_burst_between_two_scrapes_is_seen(node: Node, start: Start):
    agent = start()
    agent.until(lambda: agent.value("sentinel_node_gpu_busy_seconds_total", uuid=FIRST) == 0)
    node.gpus.gpu(0, utilization=100)
    time.sleep(1.0)  # the burst itself
    node.gpus.gpu(0, utilization=0)
    agent.until(lambda: agent.value("DCGM_FI_DEV_GPU_UTIL", UUID=FIRST) == 0)
    assert agent.value("sentinel_node_gpu_busy_seconds_total", uuid=FIRST) > 0.5
    assert agent.value("sentinel_node_gpu_utilization_peak_percent", uuid=FIRST) == 100


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["asked", "killed"])
def test_a_restart_loses_no_xid_and_no_counter_goes_back(node: Node, start: Start, number: int):
    agent = start()
    agent.until(lambda: healthy(agent) == {"AllHealthy": 1})
    node.gpus.gpu(0, utilization=100, energy=9000)
    agent.until(lambda: agent.value("sentinel_node_xid_listening") == 2)
    for code in (13, 79):
        node.gpus.xid(0, code)
    agent.until(lambda: sum(agent.values("sentinel_node_xid_total", uuid=FIRST)) == 2)
    agent.until(lambda: (agent.value("sentinel_node_gpu_busy_seconds_total", uuid=FIRST) or 0) > 0.2)
    agent.until(lambda: agent.value("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", UUID=FIRST) == 9000)
    before = agent.counters()
    agent.stop(number)
    again = start()
    again.until(lambda: health(again, FIRST) == "Failed")
    after = again.until(lambda: again.value("DCGM_FI_DEV_GPU_TEMP", UUID=FIRST) and again.counters())
    for key, value in before.items():
        if not key[0].startswith(OF_THE_PROCESS):
            assert after[key] >= value, key
    assert again.value("sentinel_node_xid_total", uuid=FIRST, xid="13", severity="Application") == 1
    assert again.value("DCGM_FI_DEV_XID_ERRORS", UUID=FIRST) == 79


def test_state_that_cannot_be_read_is_set_aside(node: Node, start: Start):
    (node.folder / "state").mkdir()
    (node.folder / "state" / "state.json").write_text('{"version": 1, "counters": [')
    agent = start()
    agent.until(lambda: healthy(agent) == {"AllHealthy": 1})
    assert (node.folder / "state" / "state.broken").exists()
    assert "state is begun anew" in agent.said()
