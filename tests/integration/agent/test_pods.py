"""Whose a GPU is: by what the kubelet gave away, by processes, by parts; and what each one takes of it."""

from __future__ import annotations

import pytest

from tests.integration.agent.conftest import Start
from tests.support.agentnode import Node

pytestmark = pytest.mark.integration

FIRST, SECOND = (f"GPU-0000000{index}-0000-0000-0000-000000000000" for index in (0, 1))
GIB = 2**30


def test_two_pods_on_one_gpu_are_told_apart(node: Node, start: Start):
    node.add_pod("a", "one", "server", pid=101)
    node.add_pod("b", "two", "server", pid=102)
    node.gpus.gpu(0, utilization=80, memory_used=8 * 1024)
    node.gpus.process(0, 101, memory=2048, utilization=50)
    node.gpus.process(0, 102, memory=4096, utilization=20)
    agent = start()
    agent.until(lambda: len(agent.values("sentinel_node_gpu_pod_utilization_percent", uuid=FIRST)) == 2)
    assert agent.value("sentinel_node_gpu_pod_utilization_percent", namespace="a", pod="one") == 50
    assert agent.value("sentinel_node_gpu_pod_utilization_percent", namespace="b", pod="two") == 20
    assert agent.value("sentinel_node_gpu_pod_memory_used_bytes", pod="one", container="server") == 2 * GIB
    assert agent.value("DCGM_FI_DEV_FB_USED", UUID=FIRST, pod="two", namespace="b") == 4096
    assert sum(agent.values("DCGM_FI_DEV_FB_USED", UUID=FIRST)) == 8192, "what is nobody's is told too"
    assert sum(agent.values("DCGM_FI_DEV_GPU_UTIL", UUID=FIRST)) == 80
    assert agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=FIRST, pod="") == 35, "of the GPU itself there is one"
    agent.until(lambda: (agent.value("sentinel_node_gpu_pod_busy_seconds_total", pod="two") or 0) > 0.1)
    one, two = (agent.value("sentinel_node_gpu_pod_busy_seconds_total", pod=pod) for pod in ("one", "two"))
    assert one > two
    agent.until(lambda: agent.value("sentinel_node_xid_listening") == 2)
    node.gpus.xid(0, 31)
    agent.until(lambda: agent.value("sentinel_node_xid_total", xid="31", severity="Application", pod="") == 1)


def test_one_pod_alone_is_named_by_every_metric_of_its_gpu(node: Node, start: Start):
    uid = node.add_pod("serving", "topics-0", "server")
    node.kubelet.devices[("serving", "topics-0", "server")] = [f"{FIRST}::2"]
    node.gpus.gpu(0, utilization=40)
    agent = start()
    whose = {"namespace": "serving", "pod": "topics-0", "container": "server"}
    agent.until(lambda: agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=FIRST, **whose) == 35)
    assert agent.value("DCGM_FI_DEV_GPU_UTIL", UUID=FIRST, **whose) == 40
    assert agent.value("sentinel_node_gpu_pod_utilization_percent", uuid=FIRST, **whose) == 40
    assert agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=SECOND, pod="") == 35
    assert agent.value("sentinel_node_kubelet_up") == 1
    assert agent.value("sentinel_node_pod_cpu_busy_seconds_total", namespace="serving", pod="topics-0") == 2.5
    assert uid
    agent.until(lambda: agent.value("sentinel_node_xid_listening") == 2)
    node.gpus.xid(0, 79)
    agent.until(lambda: agent.value("sentinel_node_xid_total", xid="79", namespace="serving", pod="topics-0") == 1)
    node.kubelet.devices.clear()
    agent.until(lambda: agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=FIRST, pod="") == 35)


def test_parts_of_a_gpu_have_owners_of_their_own(node: Node, start: Start):
    node.gpus.gpu(1, mig=True, utilization=0)
    for index in (0, 1):
        node.gpus.set(
            f"mig 1 {index}",
            uuid=f"MIG-{index}",
            name="NVIDIA H100 80GB HBM3 MIG 1g.10gb",
            gpu_instance=7 + index,
            compute_instance=0,
            memory_total=9856,
            memory_used=100 * (index + 1),
        )
    node.add_pod("a", "one", "server")
    node.add_pod("b", "two", "server", pid=102)
    node.kubelet.devices[("a", "one", "server")] = ["MIG-0"]
    node.gpus.process(1, 102, memory=90, mig=1)
    agent = start()
    first = {"UUID": SECOND, "GPU_I_ID": "7", "GPU_I_PROFILE": "1g.10gb"}
    agent.until(lambda: agent.value("DCGM_FI_DEV_FB_USED", **first, pod="one", namespace="a") == 100)
    agent.until(lambda: agent.value("DCGM_FI_DEV_FB_USED", UUID=SECOND, GPU_I_ID="8", pod="two") == 200)
    assert agent.value("sentinel_node_gpu_health", uuid=SECOND, health="Healthy") == 1


def test_without_the_kubelet_processes_still_tell(node: Node, start: Start):
    node.kubelet.stop()
    node.add_pod("a", "one", "server", pid=101)
    node.gpus.process(0, 101, memory=2048, utilization=50)
    agent = start()
    agent.until(lambda: agent.value("sentinel_node_kubelet_up") == 0)
    agent.until(lambda: agent.value("sentinel_node_gpu_pod_utilization_percent", pod="one") == 50)
    assert agent.values("sentinel_node_errors_total", call="kubelet")


def test_the_host_is_told_of(node: Node, start: Start):
    agent = start()
    agent.until(lambda: agent.value("sentinel_node_cpu_busy_seconds_total", cpu="all"))
    assert agent.value("sentinel_node_cpu_busy_seconds_total", cpu="0") == 1.5
    assert agent.value("sentinel_node_memory_percent") == 75
    assert agent.value("sentinel_node_network_bytes_recv", interface="eth0") == 1000
    assert agent.value("sentinel_node_network_bytes_sent", interface="eth0") == 2000
    assert agent.value("sentinel_node_uptime_seconds") == 100
    agent.until(lambda: (agent.value("sentinel_node_disk_bytes_total", mountpoint="/", device="/dev/test") or 0) > 0)
    (node.folder / "proc" / "stat").write_text("cpu  150 0 50 850 50 0 0 0 0 0\ncpu0 150 0 50 850 50 0 0 0 0 0\n")
    agent.until(lambda: agent.value("sentinel_node_cpu_busy_seconds_total", cpu="all") == 2.0)
    (node.folder / "proc" / "meminfo").unlink()
    agent.until(lambda: agent.values("sentinel_node_errors_total", call="memory"))
    assert agent.values("sentinel_node_memory_percent") == [], "what cannot be read is not told as nothing"
    assert agent.value("DCGM_FI_DEV_GPU_TEMP", UUID=FIRST) == 35
