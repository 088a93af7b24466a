"""`suspend` and `resume` as the API server takes them."""

from __future__ import annotations

import pytest

from sentinel_operator.api.kinds import SCAN_JOB
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.resources import Resource
from tests.integration.cli.world import World
from tests.support.scanworld import a_scan

pytestmark = pytest.mark.integration

SCANS = Resource.of_kind(SCAN_JOB)
GIT = {"argocd.argoproj.io/tracking-id": "app:sentinel.dev/ScanJob:team-a/tickets"}


async def declared(world: World, **metadata: Manifest) -> None:
    given = {"name": "tickets", "namespace": world.namespace, **metadata}
    await world.api.apply(SCANS, {**a_scan(), "metadata": given}, field_manager="user")


async def suspended(world: World) -> bool:
    return bool((await world.api.get(SCANS, world.namespace, "tickets"))["spec"]["suspend"])


async def test_a_scan_is_suspended_and_resumed(world: World) -> None:
    await declared(world)
    dry = await world.run("suspend", "scanjob/tickets", "--dry-run")
    assert (dry.code, dry.out) == (0, "spec:\n  suspend: true\n")
    assert not await suspended(world)
    done = await world.run("suspend", "sj/tickets")
    assert (done.code, done.err) == (0, "")
    assert await suspended(world)
    again = await world.run("suspend", "sj/tickets")
    assert again.out == "scanjob/tickets: spec.suspend says so already.\n"
    done = await world.run("resume", "sj/tickets")
    assert (done.code, done.out) == (0, "scanjob/tickets: it goes on.\n")
    assert not await suspended(world)


async def test_what_git_owns_is_to_be_committed(world: World) -> None:
    await declared(world, annotations=GIT)
    refused = await world.run("suspend", "sj/tickets")
    assert refused.code == 1
    assert refused.out == "spec:\n  suspend: true\n"
    assert "is kept by" in refused.err
    assert not await suspended(world)
    assert (await world.run("suspend", "sj/tickets", "--force")).code == 0
    assert await suspended(world)


async def test_what_is_not_there_and_what_cannot_be_suspended(world: World) -> None:
    absent = await world.run("suspend", "sj/tickets")
    assert absent.code == 1
    assert "scanjob/tickets is not there" in absent.err
    assert (await world.run("suspend", "scfg/default")).code == 2


async def test_it_is_listed_and_described(world: World) -> None:
    await declared(world)
    listed = await world.run("get", "sj")
    assert listed.out.split()[:6] == ["NAME", "READY", "REASON", "PHASE", "PROGRESS", "VERDICT"]
    told = await world.run("describe", "sj/tickets")
    assert told.code == 1
    assert told.out.startswith("Nothing is scanned yet.")
    await world.api.delete(SCANS, ObjectRef(SCAN_JOB.api_version, SCAN_JOB.kind, world.namespace, "tickets"))
