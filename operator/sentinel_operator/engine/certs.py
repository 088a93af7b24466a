"""The webhook's certificate, present before the webhook is served and renewed while it is.

Whichever replica is first creates the Secret; the others read it. The leader renews it and keeps the caBundle of the
webhook configurations right, whoever has applied that anew. Every replica looks every ten seconds and loads
what is new into the TLS context that is being served from, so no connection is refused while that happens. With a
directory that cert-manager mounts, only the last of these is done: its cainjector keeps the caBundle.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import random
import ssl
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.backoff import Backoff
from sentinel_operator.engine.errors import ApiError, Conflict, NotLeader
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.pki import Pair, covers, is_due, new_authority, new_leaf
from sentinel_operator.engine.resources import MUTATING_WEBHOOKS, SECRETS, VALIDATING_WEBHOOKS, Resource

logger = logging.getLogger(__name__)

_FIELD_MANAGER = "sentinel-certificates"
_REQUEST_DEADLINE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSettings:
    """Where certificates live, and for which names they are."""

    namespace: str
    secret: str
    hosts: tuple[str, ...]
    configuration: str
    mutates: bool = False
    """There is a MutatingWebhookConfiguration of that name too."""
    mounted: Path | None = None
    look_every: float = 10.0
    look_for_configuration_every: float = 2.0


class WebhookCertificate:
    """Keeps `context` loaded with a valid certificate; `loaded` tells when that is so for the first time."""

    def __init__(
        self,
        api: KubeApi,
        leader_api: KubeApi,
        settings: CertificateSettings,
        *,
        elected: asyncio.Event,
        rng: random.Random,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api, self._leader_api, self._settings = api, leader_api, settings
        self._elected, self._rng, self._wall = elected, rng, wall
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.loaded = asyncio.Event()
        self._digest = b""
        self._unpublished = False

    async def run(self) -> None:
        """Looks after the certificate until cancelled."""
        backoff = Backoff(self._rng, base=0.2, cap=self._settings.look_every)
        while True:
            try:
                async with asyncio.timeout(_REQUEST_DEADLINE):
                    await self._look()
            except (ApiError, NotLeader, TimeoutError, OSError, ValueError) as error:
                logger.warning("the webhook's certificate: %s", error)
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            settings = self._settings
            pause = settings.look_for_configuration_every if self._unpublished else settings.look_every
            await self._rest(pause * self._rng.uniform(0.8, 1.2))

    async def _rest(self, seconds: float) -> None:
        """Waits; a new leader looks at once, for it is the one that publishes the authority."""
        if self._elected.is_set():
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._elected.wait()

    async def _look(self) -> None:
        if self._settings.mounted is not None:
            directory = self._settings.mounted
            self._load(Pair((directory / "tls.crt").read_bytes(), (directory / "tls.key").read_bytes()))
            return
        secret = await self._present()
        if self._elected.is_set():
            secret = await self._renewed(secret)
            await self._published(_decoded(secret, "ca.crt"))
        self._load(Pair(_decoded(secret, "tls.crt"), _decoded(secret, "tls.key")))

    async def _present(self) -> Manifest:
        """Gives the Secret, made if nobody has; of several replicas the first one wins."""
        found = await self._api.find(SECRETS, self._settings.namespace, self._settings.secret)
        if found is not None:
            return found
        authority = new_authority(self._wall())
        secret = self._secret(authority, authority.certificate)
        try:
            return await self._api.create(SECRETS, secret, field_manager=_FIELD_MANAGER)
        except Conflict:
            return await self._api.get(SECRETS, self._settings.namespace, self._settings.secret)

    async def _renewed(self, secret: Manifest) -> Manifest:
        """Renews leaf or authority when due; the former authority stays in the bundle, so nothing fails meanwhile."""
        now = self._wall()
        authority = Pair(_decoded(secret, "ca.crt"), _decoded(secret, "ca.key"))
        bundle = authority.certificate
        if is_due(authority.certificate, now):
            fresh = new_authority(now)
            bundle = fresh.certificate + _first_certificate(authority.certificate)
            authority = fresh
        elif not is_due(_decoded(secret, "tls.crt"), now) and covers(_decoded(secret, "tls.crt"), self._settings.hosts):
            return secret
        logger.info("renewing the webhook's certificate")
        metadata = {key: value for key, value in secret["metadata"].items() if key != "managedFields"}
        renewed = {**self._secret(authority, bundle), "metadata": metadata}
        return await self._leader_api.replace(SECRETS, renewed, field_manager=_FIELD_MANAGER)

    async def _published(self, bundle: bytes) -> None:
        """Makes sure that the API server trusts the authority."""
        kinds = (VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS) if self._settings.mutates else (VALIDATING_WEBHOOKS,)
        present = [await self._published_in(kind, bundle) for kind in kinds]
        self._unpublished = not all(present)

    async def _published_in(self, kind: Resource, bundle: bytes) -> bool:
        """Gives False where the configuration is not there."""
        name = self._settings.configuration
        found = await self._api.find(kind, "", name)
        if found is None:
            if not self._unpublished:
                logger.warning("%s %s is not there: the API server does not ask the operator", kind.kind, name)
            return False
        encoded = base64.b64encode(bundle).decode()
        stale = [each for each in found.get("webhooks") or () if each["clientConfig"].get("caBundle") != encoded]
        if not stale:
            return True
        body = {"webhooks": [{"name": each["name"], "clientConfig": {"caBundle": encoded}} for each in stale]}
        ref = ObjectRef.of({**found, "apiVersion": kind.api_version, "kind": kind.kind})
        await self._leader_api.patch(kind, ref, body, strategic=True, field_manager=_FIELD_MANAGER)
        logger.info("published the webhook's authority in %s %s", kind.kind, name)
        return True

    def _load(self, pair: Pair) -> None:
        """Takes a new certificate into the context; connections made from now on are served with it."""
        digest = hashlib.sha256(pair.certificate + pair.key).digest()
        if digest == self._digest:
            return
        with tempfile.TemporaryDirectory() as directory:  # the ssl module reads from files only
            certificate, key = Path(directory, "tls.crt"), Path(directory, "tls.key")
            certificate.write_bytes(pair.certificate)
            key.touch(mode=0o600)
            key.write_bytes(pair.key)
            self.context.load_cert_chain(certificate, key)
        self._digest = digest
        self.loaded.set()
        logger.info("loaded the webhook's certificate")

    def _secret(self, authority: Pair, bundle: bytes) -> Manifest:
        leaf = new_leaf(
            Pair(_first_certificate(authority.certificate), authority.key), self._settings.hosts, self._wall()
        )
        data = {"ca.crt": bundle, "ca.key": authority.key, "tls.crt": leaf.certificate, "tls.key": leaf.key}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": self._settings.namespace, "name": self._settings.secret},
            "type": "kubernetes.io/tls",
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }


def service_hosts(service: str, namespace: str, extra: Sequence[str] = ()) -> tuple[str, ...]:
    """Gives the names under which the API server calls a Service."""
    return (f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.cluster.local", *extra)


def _decoded(secret: Manifest, key: str) -> bytes:
    value = (secret.get("data") or {}).get(key)
    if not value:
        name = f"{secret['metadata']['namespace']}/{secret['metadata']['name']}"
        raise ValueError(f"Secret {name} has no {key}; delete it to have it made anew")
    return base64.b64decode(value)


def _first_certificate(bundle: bytes) -> bytes:
    end = b"-----END CERTIFICATE-----\n"
    return bundle.split(end)[0] + end
