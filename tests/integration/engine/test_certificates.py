"""The webhook's Secret is made once, renewed in time, and never left without an authority that is trusted."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentinel_operator.engine.certs import CertificateSettings, WebhookCertificate
from sentinel_operator.engine.pki import new_authority, new_leaf
from sentinel_operator.engine.resources import SECRETS
from tests.support.eventually import eventually
from tests.support.toyworld import World

pytestmark = pytest.mark.integration

BEGIN = b"-----BEGIN CERTIFICATE-----"
HOSTS = ("webhook.ns.svc", "127.0.0.1")


class Scene:
    """Replicas that look after one Secret, on one wall clock."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = datetime.now(UTC)

    @asynccontextmanager
    async def replica(
        self, *, leads: bool, hosts: tuple[str, ...] = HOSTS, mounted: Path | None = None
    ) -> AsyncIterator[WebhookCertificate]:
        elected = asyncio.Event()
        if leads:
            elected.set()
        chosen = CertificateSettings(
            namespace=self.world.namespace,
            secret="tls",
            hosts=hosts,
            configuration="none",
            mounted=mounted,
            look_every=0.05,
            look_for_configuration_every=0.05,
        )
        api = self.world.api
        certificate = WebhookCertificate(api, api, chosen, elected=elected, rng=random.Random(0), wall=lambda: self.now)
        running = asyncio.create_task(certificate.run())
        try:
            yield certificate
        finally:
            running.cancel()

    async def read(self) -> dict[str, bytes]:
        secret = await self.world.api.get(SECRETS, self.world.namespace, "tls")
        return {key: base64.b64decode(value) for key, value in secret["data"].items()}


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


async def test_of_several_that_begin_together_one_makes_it(scene: Scene) -> None:
    async with (
        scene.replica(leads=False) as one,
        scene.replica(leads=False) as two,
        scene.replica(leads=False) as three,
        asyncio.timeout(20),
    ):
        for each in (one, two, three):
            await each.loaded.wait()
    secret = await scene.world.api.get(SECRETS, scene.world.namespace, "tls")
    assert secret["type"] == "kubernetes.io/tls"


async def test_only_the_leader_renews_and_the_authority_stays(scene: Scene) -> None:
    async with scene.replica(leads=False) as standby, asyncio.timeout(20):
        await standby.loaded.wait()
        before = await scene.read()
        scene.now += timedelta(days=61)
        looked = await scene.world.api.get(SECRETS, scene.world.namespace, "tls")
        await asyncio.sleep(0)
        assert base64.b64decode(looked["data"]["tls.crt"]) == before["tls.crt"]
        async with scene.replica(leads=True):

            async def renewed() -> bool:
                return (await scene.read())["tls.crt"] != before["tls.crt"]

            await eventually(renewed)
    after = await scene.read()
    assert after["ca.crt"] == before["ca.crt"]
    assert after["ca.key"] == before["ca.key"]


async def test_an_old_authority_is_followed_by_a_new_one_while_both_are_trusted(scene: Scene) -> None:
    async with scene.replica(leads=True) as leader, asyncio.timeout(20):
        await leader.loaded.wait()
        before = await scene.read()
        scene.now += timedelta(days=3000)

        async def followed() -> bool:
            return (await scene.read())["ca.key"] != before["ca.key"]

        await eventually(followed)
    bundle = (await scene.read())["ca.crt"]
    assert bundle.count(BEGIN) == 2
    assert bundle.endswith(before["ca.crt"])


async def test_a_certificate_for_other_names_is_replaced(scene: Scene) -> None:
    async with scene.replica(leads=True) as leader, asyncio.timeout(20):
        await leader.loaded.wait()
    before = await scene.read()
    async with scene.replica(leads=True, hosts=(*HOSTS, "renamed.ns.svc")):

        async def replaced() -> bool:
            return (await scene.read())["tls.crt"] != before["tls.crt"]

        await eventually(replaced)


async def test_a_mounted_certificate_is_taken_instead(scene: Scene, tmp_path: Path) -> None:
    leaf = new_leaf(new_authority(scene.now), HOSTS, scene.now)
    async with scene.replica(leads=True, mounted=tmp_path) as certificate, asyncio.timeout(20):
        (tmp_path / "tls.crt").write_bytes(leaf.certificate)
        (tmp_path / "tls.key").write_bytes(leaf.key)
        await certificate.loaded.wait()
    assert await scene.world.api.find(SECRETS, scene.world.namespace, "tls") is None
