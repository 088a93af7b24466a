"""Who is on a device: containers that it was given to and containers that work on it, each with its share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sentinel_agent.gpu.reading import Part, Reading, Work
from sentinel_agent.pods.allocation import Allocations, Container

OwnerOf = Callable[[int], Container | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A container's part of a device. What nothing tells is None."""

    container: Container
    utilization: float | None = None
    memory: int | None = None


def shares(reading: Reading, allocations: Allocations, owner_of: OwnerOf) -> tuple[Share, ...]:
    """Gives who is on a GPU; of one with MIG, who is on any of its parts."""
    identity = reading.identity
    ids = [identity.uuid, str(identity.index), f"nvidia{identity.minor}"]
    for part in reading.parts:
        ids += _part_ids(reading, part)
    found = _shares(_given(allocations, ids), reading.work, owner_of)
    alone = len(found) == 1 and not _foreign(reading.work, owner_of)
    if alone and found[0].utilization is None and not reading.mig:
        (only,) = found
        return (Share(container=only.container, utilization=reading.gauges.get("utilization"), memory=only.memory),)
    return found


def part_shares(reading: Reading, part: Part, allocations: Allocations, owner_of: OwnerOf) -> tuple[Share, ...]:
    """Gives who is on one part of a GPU."""
    work = [
        each
        for each in reading.work
        if (each.gpu_instance, each.compute_instance) == (part.gpu_instance, part.compute_instance)
    ]
    return _shares(_given(allocations, _part_ids(reading, part)), work, owner_of)


def _part_ids(reading: Reading, part: Part) -> list[str]:
    return [part.uuid, f"nvidia{reading.identity.minor}/gi{part.gpu_instance}"]


def _given(allocations: Allocations, ids: Iterable[str]) -> set[Container]:
    return {container for device in ids for container in allocations.get(device, ())}


def _foreign(work: Iterable[Work], owner_of: OwnerOf) -> bool:
    """Tells whether processes of no known pod are on it too."""
    return any(owner_of(each.pid) is None for each in work)


def _shares(given: set[Container], work: Iterable[Work], owner_of: OwnerOf) -> tuple[Share, ...]:
    utilization: dict[Container, float] = {}
    memory: dict[Container, int] = {}
    working: set[Container] = set()
    for each in work:
        container = owner_of(each.pid)
        if container is None:
            continue
        working.add(container)
        if each.utilization is not None:
            utilization[container] = min(100.0, utilization.get(container, 0.0) + each.utilization)
        if each.memory is not None:
            memory[container] = memory.get(container, 0) + each.memory
    # A container whose name is not known yet is one that the kubelet told of, if it told of that pod.
    told = {(each.namespace, each.pod) for each in given | working if each.container}
    everybody = {each for each in given | working if each.container or (each.namespace, each.pod) not in told}
    return tuple(
        Share(container=each, utilization=utilization.get(each), memory=memory.get(each)) for each in sorted(everybody)
    )
