"""The process: of its replicas one speaks with the brain, the others wait. Without a brain it idles, ready."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Coroutine
from typing import Any

from sentinel_operator.api.kinds import SENTINEL_CONFIG
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.bridge import credentials
from sentinel_operator.bridge.credentials import Credentials, Unusable
from sentinel_operator.bridge.intake import Lobby
from sentinel_operator.bridge.metrics import Metrics
from sentinel_operator.bridge.outcomes import Outcomes
from sentinel_operator.bridge.pace import Pace
from sentinel_operator.bridge.session import Agreement, Cluster, Lasting, Session
from sentinel_operator.bridge.settings import Settings
from sentinel_operator.core.bridge.batches import Batches, Bounds
from sentinel_operator.core.bridge.rate import Rate
from sentinel_operator.engine import http
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.cache import ObjectCache
from sentinel_operator.engine.configsource import ConfigSource
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.informer import Informer
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.leader import Elector
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.supervisor import Supervisor, why
from sentinel_operator.engine.transport import Limits, Transport

logger = logging.getLogger(__name__)

_BETWEEN_TRIES = 2.0
NOT_CONFIGURED = "NotConfigured"


class App:
    """Runs one replica.

    `stop` may be set from outside. `run` gives the exit status: 0 after a stop or a signal, 1 where the lease was lost
    or a part failed, so that Kubernetes starts the process afresh.
    """

    def __init__(self, settings: Settings, *, pace: Pace | None = None) -> None:
        self.settings, self.pace = settings, pace or Pace()
        self.stop = asyncio.Event()
        self.metrics = Metrics()
        self.http_port = 0
        self.session: Session | None = None
        self._rng = random.SystemRandom()
        self._changed = asyncio.Event()
        self._config: ConfigSource | None = None

    async def run(self) -> int:
        """Runs until stopped, or until a part fails."""
        access = await Access.open(Source(self.settings.kubeconfig, self.settings.context))
        access.session.headers["User-Agent"] = "sentinel-bridge"
        supervisor = Supervisor()
        try:
            return await self._run(access, supervisor)
        finally:
            await supervisor.cancel()
            await access.close()

    async def _run(self, access: Access, supervisor: Supervisor) -> int:
        limits = Limits(timeout=self.settings.api_timeout, concurrency=self.settings.api_concurrency)
        api = KubeApi(Transport(access, metrics=self.metrics, limits=limits))
        elector = Elector(api, self.settings.election, rng=self._rng)
        self.metrics.leads(elector.elected.is_set)
        informer = self._settings_informer(api)
        endpoint = http.HttpServer(
            http.application(
                alive={"tasks": lambda: supervisor.healthy},
                ready={"settings known": informer.settled.is_set},
                metrics=self.metrics.render,
            ),
            host=self.settings.http_host,
            port=self.settings.http_port,
        )
        self.http_port = await endpoint.start()
        lasting = self._lasting()
        supervisor.keep("settings", informer.run())
        election = supervisor.start("election", elector.run())
        speaking = supervisor.start("brain", self._lead(api, elector, informer, lasting))
        try:
            stopped = await self._until_end(supervisor)
            if stopped and self.session is not None:
                await self._in_time("making objects of plans", lasting.lobby.waiting.join())
            await supervisor.cancel([speaking])
            if stopped and self.session is not None:
                await self._in_time("sending what was left", self.session.flush())
            await supervisor.cancel([election])
            await elector.release()
            return 0 if stopped else 1
        finally:
            await endpoint.close()

    async def _until_end(self, supervisor: Supervisor) -> bool:
        """Tells whether it was asked to stop; otherwise a part has ended that should not have."""
        stopped = asyncio.create_task(self.stop.wait())
        ended = asyncio.create_task(supervisor.first_end())
        try:
            await asyncio.wait([stopped, ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            ended.cancel()
        if self.stop.is_set():
            logger.info("stopping as asked")
            return True
        logger.error("stopping: %s", why(ended.result()))
        return False

    async def _in_time(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Finishes something before the process ends, as far as there is time; outcomes that are not told now are told
        by whoever leads next."""
        try:
            async with asyncio.timeout(self.settings.flush):
                await work
        except TimeoutError:
            logger.warning("%s took longer than %g s", name, self.settings.flush)
        except Exception:
            logger.exception("%s", name)

    async def _lead(self, api: KubeApi, elector: Elector, informer: Informer, lasting: Lasting) -> None:
        """Keeps one session with the brain that is configured, while this replica leads."""
        await elector.elected.wait()
        await informer.settled.wait()
        writes = api.fenced(elector)
        cluster = Cluster(api=api, writes=writes, namespace=self.settings.namespace, user=await self._own_user(api))
        while True:
            self._changed.clear()
            agreement = await self._agreement(api, lasting)
            if agreement is None:
                await self._news()
                continue
            session = Session(agreement, lasting, cluster, metrics=self.metrics, rng=self._rng, pace=self.pace)
            self.session = session
            await self._until_other(session, api, lasting)

    async def _until_other(self, session: Session, api: KubeApi, lasting: Lasting) -> None:
        """Runs a session until it is to be another one; raises what it raises."""
        agreement = session.agreement
        running = asyncio.create_task(session.run(), name="session")
        try:
            while not running.done():
                await self._news(running)
                self._changed.clear()
                if not running.done() and await self._agreement(api, lasting, before=agreement) != agreement:
                    return
            await running
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def _news(self, *running: asyncio.Task[None]) -> None:
        """Waits for other settings, until the Secrets should be read again, or until what runs has ended."""
        changed = asyncio.create_task(self._changed.wait())
        until = self.settings.refresh * self._rng.uniform(0.9, 1.1)
        try:
            await asyncio.wait([changed, *running], timeout=until, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()

    async def _agreement(self, api: KubeApi, lasting: Lasting, *, before: Agreement | None = None) -> Agreement | None:
        """Gives by what to speak with the brain now; None where there is none to speak with. Secrets that cannot be
        read any more stay in use as they were."""
        spec = self._spec()
        if spec.bridge is None:
            if len(lasting.batches):
                lasting.batches.clear(NOT_CONFIGURED)
            self.session = None
            self.metrics.configured(False)
            return None
        found: Credentials | None = None
        try:
            found = await credentials.read(spec.bridge, api, self.settings.namespace)
        except (Unusable, ApiError) as error:
            logger.warning("%s", error)
            if before is not None and before.bridge == spec.bridge:
                found = before.credentials
        self.metrics.configured(found is not None)
        if found is None:
            return None
        return Agreement(bridge=spec.bridge, cluster_id=spec.cluster_id, credentials=found)

    async def _own_user(self, api: KubeApi) -> str:
        """Asks whom the API server takes this process for, until it says."""
        while True:
            try:
                return await api.own_user()
            except ApiError as error:
                logger.warning("the API server does not say who this is: %s", error)
                await asyncio.sleep(_BETWEEN_TRIES)

    def _spec(self) -> SentinelConfigSpec:
        return self._config.current() if self._config is not None else SentinelConfigSpec()

    def _settings_informer(self, api: KubeApi) -> Informer:
        cache = ObjectCache()
        self._config = ConfigSource(cache, changed=self._changed.set)
        return Informer(
            api,
            Resource.of_kind(SENTINEL_CONFIG),
            cache=cache,
            changed=self._config.seen,
            metrics=self.metrics,
            rng=self._rng,
        )

    def _lasting(self) -> Lasting:
        batches = Batches(Bounds(), new_id=lambda: str(uuid.uuid4()), dropped=self.metrics.points_dropped)
        outcomes = Outcomes(metrics=self.metrics)
        self.metrics.keeps(points=lambda: len(batches), acks=lambda: len(outcomes))
        return Lasting(batches=batches, outcomes=outcomes, lobby=Lobby(Rate(1, self.pace.clock())))
