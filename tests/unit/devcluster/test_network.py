"""No two clusters of a machine have a name or an address in common."""

from __future__ import annotations

import itertools
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from devcluster.control_plane import SERVICES
from devcluster.network import INDEXES, Network

_LONGEST_INTERFACE = 15  # of the kernel


def _network(index: int, name: str = "x") -> Network:
    return Network(name, index, Path("/somewhere") / name)


def test_ranges_of_all_clusters_and_of_services_are_apart():
    ranges = [ip_network(SERVICES)]
    for index in INDEXES:
        ranges += [ip_network(_network(index).nodes), ip_network(_network(index).pods)]

    for one, other in itertools.combinations(ranges, 2):
        assert not one.overlaps(other)


@pytest.mark.parametrize("node", [1, 2, 9])
def test_a_node_and_its_pods_are_in_the_ranges_of_its_cluster(node: int):
    network = _network(7)

    assert ip_address(network.address(node)) in ip_network(network.nodes)
    assert ip_network(network.pods_of(node)).subnet_of(ip_network(network.pods))
    assert network.address(node) != network.address(0)


def test_names_are_what_the_kernel_takes_and_differ():
    names = [_network(index).bridge for index in INDEXES]

    assert len(set(names)) == len(names)
    assert all(len(name) <= _LONGEST_INTERFACE for name in names)
    assert _network(1).namespace(1) != _network(11).namespace(1)


def test_what_another_cluster_has_claimed_is_not_free():
    taken = Network("loop", 0, Path("/nowhere"))
    routed = [{"dst": "default"}, {"dst": "10.200.0.0/16"}, {"dst": "192.0.2.7"}]

    assert not taken.collides([])
    assert taken.collides(routed)
    assert not taken.collides([{"dst": "192.0.2.0/24"}])
