"""What is declared comes to be, stays so, and costs nothing while it is so."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.resources import CONFIG_MAPS, EVENTS
from tests.support.eventually import eventually
from tests.support.faultproxy import Fault, FaultProxy, Seen, writes
from tests.support.toy import WRITES_AT_FIRST
from tests.support.toyworld import CHILDREN, TOYS, World

pytestmark = pytest.mark.integration

BY_KIND = {each.kind: each for each in CHILDREN}


def written(proxy: FaultProxy) -> Counter[str]:
    """Counts the writes of a replica by path."""
    return Counter(
        seen.path.rsplit("/", 2)[-2] + "/" + seen.path.rsplit("/", 1)[-1] for seen in proxy.log if writes(seen)
    )


def toys_watched(seen: Seen) -> bool:
    """Matches kopf's watch of the primary kind."""
    return seen.watch and TOYS.plural in seen.path


async def quiet(world: World, proxy: FaultProxy, name: str) -> None:
    """Makes sure that nothing is left to be done: the next pass over a Toy writes nothing."""
    before = sum(written(proxy).values())
    marker = await world.make(f"{name}-marker", color="green")
    await world.settled(f"{name}-marker", color="green")
    assert marker
    assert sum(written(proxy).values()) == before + WRITES_AT_FIRST


async def test_each_child_is_made_by_one_write_and_the_status_by_one(world: World) -> None:
    proxy = await world.proxy()
    await world.replica(proxy)
    await world.make("bear", replicas=2)
    children = await world.settled("bear")
    assert children["Deployment", "bear"]["spec"]["replicas"] == 2
    assert set(written(proxy).values()) == {1}
    assert sum(written(proxy).values()) == WRITES_AT_FIRST
    await quiet(world, proxy, "bear")


async def test_resync_and_restart_write_nothing(world: World) -> None:
    proxy = await world.proxy()
    first = await world.replica(proxy)
    for name in ("bear", "doll", "kite"):
        await world.make(name)
    for name in ("bear", "doll", "kite"):
        await world.settled(name)
    before = sum(written(proxy).values())
    passes = first.metric("reconcile_total", controller="Toy", result="unchanged")
    await first.resync("Toy")

    async def looked_at_all() -> bool:
        return first.metric("reconcile_total", controller="Toy", result="unchanged") >= passes + 3

    await eventually(looked_at_all)
    assert await first.stop() == 0
    again = await world.proxy()
    second = await world.replica(again)

    async def passed_again() -> bool:
        return second.metric("reconcile_total", controller="Toy", result="unchanged") >= 3

    await eventually(passed_again)
    assert sum(written(proxy).values()) == before
    assert not written(again)


def image(live: Manifest) -> Manifest:
    containers = [{**live["spec"]["template"]["spec"]["containers"][0], "image": "evil:1"}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def rule(live: Manifest) -> Manifest:
    return {"spec": {"ingress": [*live["spec"]["ingress"], {"ports": [{"port": 22}]}]}}


def selector(_: Manifest) -> Manifest:
    return {"spec": {"selector": {"also": "this"}}}


def data(_: Manifest) -> Manifest:
    return {"data": {"color": "grey"}}


def replicas(_: Manifest) -> Manifest:
    return {"spec": {"replicas": 7}}


def labels(_: Manifest) -> Manifest:
    return {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}


def owner(_: Manifest) -> Manifest:
    return {"metadata": {"ownerReferences": None}}


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        pytest.param("Deployment", image, id="an image"),
        pytest.param("Deployment", replicas, id="the replicas"),
        pytest.param("NetworkPolicy", rule, id="a rule added to a network policy"),
        pytest.param("Service", selector, id="a selector narrowed"),
        pytest.param("ConfigMap", data, id="data without a generation"),
        pytest.param("ConfigMap", labels, id="the label by which it is watched"),
        pytest.param("ServiceAccount", owner, id="the owner"),
    ],
)
async def test_what_is_edited_by_hand_is_healed(world: World, kind: str, edit: Any) -> None:
    proxy = await world.proxy()
    await world.replica(proxy)
    await world.make("bear")
    before = {key: value for key, value in (await world.settled("bear")).items() if key[0] == kind}
    (((_, name), live),) = before.items()
    ref = ObjectRef(live["apiVersion"], kind, world.namespace, name)
    edited = await world.api.patch(BY_KIND[kind], ref, edit(live), field_manager="somebody")
    assert meaning(edited) != meaning(live)

    async def healed() -> bool:
        found = await world.api.get(BY_KIND[kind], world.namespace, name)
        assert meaning(found) == meaning(live)
        return True

    await eventually(healed)
    await quiet(world, proxy, "bear")


def meaning(raw: Manifest) -> Manifest:
    """Leaves out what every write changes."""
    kept = ("labels", "ownerReferences")
    about = {key: raw["metadata"].get(key) for key in kept}
    return {"metadata": about, "data": raw.get("data"), "spec": raw.get("spec")}


@pytest.mark.parametrize("kind", sorted(BY_KIND))
async def test_what_is_deleted_by_hand_is_made_anew(world: World, kind: str) -> None:
    proxy = await world.proxy()
    await world.replica(proxy)
    await world.make("bear")
    (live,) = [each for (found, _), each in (await world.settled("bear")).items() if found == kind]
    await world.api.delete(BY_KIND[kind], ObjectRef.of(live))

    async def back() -> bool:
        children = await world.settled("bear")
        return all(each["metadata"]["uid"] != live["metadata"]["uid"] for each in children.values())

    await eventually(back)


async def test_a_change_replaces_what_it_must_and_is_told_once(world: World) -> None:
    proxy = await world.proxy()
    await world.replica(proxy)
    await world.make("bear")
    before = await world.settled("bear")
    await world.make("bear", color="blue")
    after = await world.settled("bear", color="blue")
    assert before["Deployment", "bear"]["metadata"]["uid"] == after["Deployment", "bear"]["metadata"]["uid"]

    async def told() -> list[Manifest]:
        events, _ = await world.api.list(EVENTS, namespace=world.namespace)
        return [each for each in events if each["reason"] == "Painted"]

    (event,) = await eventually(told)
    assert event["note"] == "painted blue"
    assert event["regarding"]["name"] == "bear"
    await quiet(world, proxy, "bear")


async def test_many_quick_edits_end_in_the_last_one(world: World) -> None:
    proxy = await world.proxy()
    await world.replica(proxy)
    for number in range(20):
        await world.make("bear", color=f"c{number}", replicas=number)
    children = await world.settled("bear", color="c19")
    assert children["Deployment", "bear"]["spec"]["replicas"] == 19


async def test_a_spec_that_does_not_parse_is_told_and_healed_by_an_edit(world: World) -> None:
    proxy = await world.proxy()
    await world.replica(proxy)
    await world.make("bear", replicas="many")

    async def told() -> bool:
        condition = (await world.toy("bear"))["status"]["conditions"][0] if "status" in await world.toy("bear") else {}
        return "spec.replicas" in condition.get("message", "") and condition["reason"] == "InvalidSpec"

    await eventually(told)
    assert not await world.children("bear")
    await world.make("bear", replicas=1)
    await world.settled("bear")


async def test_what_the_api_server_refuses_is_told_and_not_tried_again_and_again(world: World) -> None:
    proxy = await world.proxy()
    await world.replica(proxy)
    await world.make("bear", port=99999)

    async def told() -> bool:
        condition = (await world.toy("bear")).get("status", {}).get("conditions", [{}])[0]
        return condition.get("reason") == "Invalid" and "spec.ports" in condition["message"]

    await eventually(told)
    await world.make("doll")
    await world.settled("doll")
    assert written(proxy)["services/bear"] == 1
    await world.make("bear", port=81)
    await world.settled("bear")


async def test_a_reference_is_read_before_the_pass(world: World) -> None:
    proxy = await world.proxy()
    await world.replica(proxy)
    palette = {"metadata": {"namespace": world.namespace, "name": "palette"}, "data": {"name": "spring"}}
    await world.api.apply(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", **palette}, field_manager="user")
    await world.make("bear", palette="palette")
    await world.settled("bear")
    assert (await world.toy("bear"))["status"]["palette"] == "spring"


def config_maps_watched(seen: Seen) -> bool:
    """Matches both watches of ConfigMaps: of the children, and of whatever may be referred to."""
    return seen.watch and seen.path == CONFIG_MAPS.collection()


async def painted(world: World, name: str) -> None:
    """Writes the ConfigMap that a Toy refers to, as somebody does who knows nothing of Toys."""
    about = {"metadata": {"namespace": world.namespace, "name": "palette"}, "data": {"name": name}}
    await world.api.apply(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", **about}, field_manager="user")


async def shows(world: World, palette: str) -> None:
    async def look() -> bool:
        return (await world.toy("bear"))["status"].get("palette", "") == palette

    await eventually(look)


async def test_a_change_of_what_is_referred_to_shows_without_any_resync(world: World) -> None:
    proxy = await world.proxy()
    await world.replica(proxy, resync=86400.0)
    await world.make("bear", palette="palette")
    await world.settled("bear")
    await painted(world, "spring")
    await shows(world, "spring")
    await painted(world, "summer")
    await shows(world, "summer")
    await world.api.delete(CONFIG_MAPS, ObjectRef("v1", "ConfigMap", world.namespace, "palette"))
    await shows(world, "")
    await quiet(world, proxy, "bear")


@pytest.mark.parametrize("status", [410, 500])
async def test_a_change_in_a_gap_of_the_watch_is_not_lost(world: World, status: int) -> None:
    proxy = await world.proxy()
    await world.replica(proxy, resync=86400.0)
    await painted(world, "spring")
    await world.make("bear", palette="palette")
    await world.settled("bear")
    proxy.block(config_maps_watched)
    await painted(world, "summer")
    proxy.inject(Fault(config_maps_watched, status=status, times=2))
    proxy.unblock()
    await shows(world, "summer")


async def test_a_toy_deleted_while_kopf_did_not_watch_leaves_no_ghost(world: World) -> None:
    proxy = await world.proxy()
    replica = await world.replica(proxy)
    await world.make("bear")
    children = await world.settled("bear")
    proxy.block(toys_watched)
    await world.remove("bear")
    proxy.inject(Fault(toys_watched, status=410))
    proxy.unblock()
    await world.make("doll")
    await world.settled("doll")
    before = sum(written(proxy).values())
    live = children["Service", "bear"]
    await world.api.delete(BY_KIND["Service"], ObjectRef.of(live))

    async def forgotten() -> bool:
        return [key.name for key in replica.known("Toy")] == ["doll"]

    await eventually(forgotten)
    assert sum(written(proxy).values()) == before, "the pass over the ghost made nothing"


async def test_a_ghost_without_events_is_forgotten_at_resync(world: World) -> None:
    proxy = await world.proxy()
    replica = await world.replica(proxy)
    await world.make("bear")
    await world.settled("bear")
    proxy.block(toys_watched)
    await world.remove("bear")
    await replica.resync("Toy")
    assert not replica.known("Toy")


async def test_a_toy_made_anew_in_the_gap_gets_children_of_its_own(world: World) -> None:
    proxy = await world.proxy()
    await world.replica(proxy)
    await world.make("bear")
    await world.settled("bear")
    proxy.block(toys_watched)
    await world.remove("bear")
    made = await world.make("bear", color="blue")
    proxy.inject(Fault(toys_watched, status=410))
    proxy.unblock()

    async def owned() -> bool:
        children = await world.settled("bear", color="blue")
        owners = {each["metadata"]["ownerReferences"][0]["uid"] for each in children.values()}
        return owners == {made["metadata"]["uid"]}

    await eventually(owned)
