"""Whether a pod finds room, as the scheduler would say it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.core.capacity.placement import admits, node_of
from sentinel_operator.core.capacity.requests import amounts, requests_of
from sentinel_operator.core.capacity.room import Room, load_of, placed, room_of

GPU = "nvidia.com/gpu"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def a_node(name: str = "n1", *, ready: str = "True", **more: Any) -> dict[str, Any]:
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110", **more.pop("allocatable", {})}
    return {
        "metadata": {"name": name, "labels": more.pop("labels", {}), **more.pop("metadata", {})},
        "spec": more,
        "status": {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": ready}]},
    }


def asking(**requests: str) -> dict[str, Any]:
    named = {GPU if name == "gpu" else name: amount for name, amount in requests.items()}
    return {"containers": [{"name": "server", "resources": {"requests": named}}]}


def a_pod(node: str = "n1", phase: str = "Running", **requests: str) -> dict[str, Any]:
    return {"spec": {**asking(**requests), "nodeName": node}, "status": {"phase": phase}}


def room(nodes: list[dict[str, Any]], pods: list[dict[str, Any]] = []) -> Room:  # noqa: B006 - never changed
    known = [node for raw in nodes if (node := node_of(raw)) is not None]
    return room_of(known, [load for pod in pods if (load := load_of(pod)) is not None])


def spare(nodes: list[dict[str, Any]], spec: dict[str, Any], *pods: dict[str, Any]) -> bool | None:
    return placed(room(nodes, list(pods)), spec)[0]


WITH_GPU = a_node(allocatable={GPU: "1"})


@pytest.mark.parametrize(
    ("nodes", "spec", "pods", "expected"),
    [
        ([a_node()], asking(cpu="1"), [], True),
        ([a_node()], asking(cpu="2"), [a_pod(cpu="2500m")], False),
        ([a_node()], asking(cpu="1500m"), [a_pod(cpu="2500m")], True),
        ([a_node()], asking(cpu="2"), [a_pod(cpu="2"), a_pod("n2", cpu="4")], True),
        ([a_node()], asking(cpu="4"), [a_pod(phase="Succeeded", cpu="4"), a_pod("", cpu="4")], True),
        ([a_node(), a_node("n2")], asking(cpu="3"), [a_pod(cpu="2")], True),
        ([WITH_GPU], asking(gpu="1"), [], True),
        ([WITH_GPU], asking(gpu="1"), [a_pod(gpu="1")], False),
        ([WITH_GPU], asking(cpu="1"), [a_pod(gpu="1")], True),
        ([a_node()], asking(gpu="1"), [], False),
        ([a_node(allocatable={"pods": "1"})], asking(), [a_pod()], False),
        ([a_node(ready="Unknown")], asking(), [], None),
        ([a_node(), a_node("n2", unschedulable=True)], asking(cpu="3"), [a_pod(cpu="3")], False),
        ([a_node(), a_node("n2", metadata={"deletionTimestamp": "x"})], asking(cpu="3"), [a_pod(cpu="3")], False),
        ([], asking(), [], None),
    ],
    ids=[
        "an empty node",
        "too little CPU",
        "just enough CPU",
        "what runs elsewhere does not count",
        "nor what has ended or runs nowhere",
        "another node",
        "a free GPU",
        "a GPU in use",
        "a GPU that is not asked for",
        "no GPU at all",
        "no pod more",
        "no node that is ready",
        "a cordoned node",
        "a node on its way out",
        "no node is seen",
    ],
)
def test_room_is_what_nodes_have_and_pods_do_not_ask_for(
    nodes: list[dict[str, Any]], spec: dict[str, Any], pods: list[dict[str, Any]], expected: bool | None
):
    assert spare(nodes, spec, *pods) is expected


def container(cpu: str, **more: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}}, **more}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [container("1"), container("500m")]}, "1.5"),
        ({"containers": [container("1")], "initContainers": [container("3"), container("2")]}, "3"),
        ({"containers": [container("1")], "initContainers": [container("1", restartPolicy="Always")]}, "2"),
        (
            {
                "containers": [container("1")],
                "initContainers": [
                    container("2"),
                    container("1", restartPolicy="Always"),
                    container("2"),
                    container("500m", restartPolicy="Always"),
                ],
            },
            "3",
        ),
        ({"containers": [container("1")], "overhead": {"cpu": "250m"}}, "1.25"),
        ({"containers": [container("1")], "resources": {"requests": {"cpu": "4"}}, "overhead": {"cpu": "1"}}, "5"),
        ({"containers": [{"resources": {"limits": {"cpu": "2"}}}]}, "2"),
        ({"containers": [{"resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}}]}, "1"),
    ],
    ids=[
        "containers add up",
        "init containers take turns",
        "one that goes on adds up",
        "one counts beside those that come after it",
        "overhead comes on top",
        "the pod as a whole",
        "a limit is a request",
        "unless there is one",
    ],
)
def test_a_pod_asks_for_the_most_that_it_ever_needs(spec: dict[str, Any], cpu: str):
    assert requests_of(spec) == amounts({"cpu": cpu})


def expression(operator: str, *values: str, key: str = "zone") -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def near(*terms: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": each} for each in terms]}}}
    }


LABELS = {"zone": "a", "cores": "16", "disk": "ssd"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, True),
        ({"nodeSelector": {"zone": "a", "disk": "ssd"}}, True),
        ({"nodeSelector": {"zone": "a", "disk": "hdd"}}, False),
        ({"nodeSelector": {"gone": ""}}, False),
        (near([expression("In", "a", "b")]), True),
        (near([expression("In", "b")]), False),
        (near([expression("NotIn", "b")]), True),
        (near([expression("NotIn", "a")]), False),
        (near([expression("NotIn", "a", key="gone")]), True),
        (near([expression("Exists")]), True),
        (near([expression("Exists", key="gone")]), False),
        (near([expression("DoesNotExist", key="gone")]), True),
        (near([expression("DoesNotExist")]), False),
        (near([expression("Gt", "8", key="cores")]), True),
        (near([expression("Gt", "16", key="cores")]), False),
        (near([expression("Lt", "32", key="cores")]), True),
        (near([expression("Lt", "32", key="zone")]), False),
        (near([expression("Gt", "8", key="gone")]), False),
        (near([expression("In", "b")], [expression("In", "a")]), True),
        (near([expression("In", "a"), expression("In", "b", key="disk")]), False),
        (near([]), False),
        (near([expression("Resembles", "a")]), False),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        REQUIRED: {
                            "nodeSelectorTerms": [{"matchFields": [expression("In", "n1", key="metadata.name")]}]
                        }
                    }
                }
            },
            True,
        ),
        ({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{}]}}}, True),
    ],
)
def test_selectors_and_affinity_choose_nodes_by_their_labels(spec: dict[str, Any], expected: bool):
    node = node_of(a_node(labels=LABELS))
    assert node is not None
    assert admits(node, spec) is expected


TAINT = {"key": "gpu", "value": "h200", "effect": "NoSchedule"}
SPOT = {"key": "spot", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("taints", "tolerations", "expected"),
    [
        ([TAINT], [], False),
        ([{**TAINT, "effect": "PreferNoSchedule"}], [], True),
        ([{**TAINT, "effect": "NoExecute"}], [], False),
        ([TAINT], [{"key": "gpu", "operator": "Exists"}], True),
        ([TAINT], [{"operator": "Exists"}], True),
        ([TAINT], [{"operator": "Exists", "effect": "NoExecute"}], False),
        ([TAINT], [{"key": "gpu", "value": "h200", "effect": "NoSchedule"}], True),
        ([TAINT], [{"key": "gpu", "value": "l4"}], False),
        ([TAINT], [{"key": "gpu", "operator": "Gt", "value": "1"}], False),
        ([TAINT, SPOT], [{"key": "gpu", "operator": "Exists"}], False),
        ([TAINT, SPOT], [{"key": "gpu", "operator": "Exists"}, {"key": "spot"}], True),
    ],
)
def test_every_taint_that_repels_has_to_be_tolerated(
    taints: list[dict[str, str]], tolerations: list[dict[str, str]], expected: bool
):
    node = node_of(a_node(taints=taints))
    assert node is not None
    assert admits(node, {"tolerations": tolerations}) is expected


@pytest.mark.parametrize(
    "more",
    [
        {"affinity": {"podAntiAffinity": {REQUIRED: [{"topologyKey": "kubernetes.io/hostname"}]}}},
        {"affinity": {"podAffinity": {REQUIRED: [{"topologyKey": "kubernetes.io/hostname"}]}}},
        {"topologySpreadConstraints": [{"whenUnsatisfiable": "DoNotSchedule"}]},
        {"volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}}]},
        {"containers": [{"ports": [{"containerPort": 80, "hostPort": 80}]}]},
        {"resourceClaims": [{"name": "gpu"}]},
    ],
    ids=["apart from others", "near others", "spread", "a volume", "a port of the node", "a claim"],
)
def test_of_what_is_not_judged_only_a_lack_of_room_is_known(more: dict[str, Any]):
    assert spare([a_node()], {**asking(cpu="1"), **more}) is None
    assert spare([a_node(taints=[TAINT])], {**asking(cpu="1"), **more}) is False


def test_preferences_decide_nothing():
    wish = {"topologySpreadConstraints": [{"whenUnsatisfiable": "ScheduleAnyway"}]}
    assert spare([a_node()], {**asking(cpu="1"), **wish}) is True


def test_of_a_runtime_class_nothing_is_known():
    assert spare([a_node(taints=[TAINT])], {**asking(), "runtimeClassName": "kata"}) is None


CPUS = st.integers(0, 3000).map("{}m".format)
NAMES = ("n0", "n1", "n2")
PODS = st.lists(st.builds(lambda node, cpu: a_pod(node, cpu=cpu), st.sampled_from(NAMES), CPUS), max_size=9)


def free(left: Room) -> dict[str, Decimal]:
    """Gives the CPUs that are left on each node."""
    return {
        node.name: node.allocatable["cpu"] - left.used.get(node.name, {}).get("cpu", Decimal(0)) for node in left.nodes
    }


@given(PODS, st.lists(CPUS, max_size=12))
def test_what_is_promised_never_exceeds_what_a_node_has(pods: list[dict[str, Any]], wanted: list[str]):
    left = room([a_node(name) for name in NAMES], pods)
    before = free(left)
    for cpu in wanted:
        fits = any(each >= amounts({"cpu": cpu})["cpu"] for each in free(left).values())
        found, left = placed(left, asking(cpu=cpu))
        assert found is fits
    assert all(each >= min(0, before[name]) for name, each in free(left).items())


@given(PODS, CPUS)
def test_a_pod_less_never_leaves_less_room(pods: list[dict[str, Any]], cpu: str):
    nodes = [a_node(name) for name in NAMES]
    if spare(nodes, asking(cpu=cpu), *pods):
        assert spare(nodes, asking(cpu=cpu), *pods[1:])
