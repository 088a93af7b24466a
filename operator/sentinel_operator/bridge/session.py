"""Everything that goes on with one brain, by one set of settings and credentials; it ends when these become others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sentinel_operator.api.bridge import Bridge
from sentinel_operator.api.fields import seconds
from sentinel_operator.api.kinds import NODE_TELEMETRY
from sentinel_operator.bridge.brain import Brain
from sentinel_operator.bridge.credentials import Credentials
from sentinel_operator.bridge.inside import PlansInside
from sentinel_operator.bridge.intake import MODELS, PLANS, Door, Intake, Lobby
from sentinel_operator.bridge.metrics import Metrics
from sentinel_operator.bridge.outcomes import Outcomes, Teller, Watcher
from sentinel_operator.bridge.pace import Pace
from sentinel_operator.bridge.queries import Queries
from sentinel_operator.bridge.receiving import Receiver
from sentinel_operator.bridge.rest import RestBrain
from sentinel_operator.bridge.rpc import RpcBrain
from sentinel_operator.bridge.sampling import Sampler
from sentinel_operator.bridge.sending import Sender
from sentinel_operator.core.bridge.batches import Batches, Bounds
from sentinel_operator.core.bridge.marks import BRIDGE
from sentinel_operator.core.bridge.translate import Terms
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import ObjectCache
from sentinel_operator.engine.informer import Informer, ListWatch
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.measure.fetch import Fetch, anywhere
from sentinel_operator.engine.measure.secrets import ApiSecrets
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.transport import Query

_NODES = Resource.of_kind(NODE_TELEMETRY)
_BRIDGED = (("labelSelector", BRIDGE),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """By what a brain is spoken with. Another one is another session."""

    bridge: Bridge
    cluster_id: str
    credentials: Credentials

    @property
    def bounds(self) -> Bounds:
        """Gives how telemetry is gathered."""
        batch = self.bridge.batch
        return Bounds(max_points=batch.max_points, max_age=seconds(batch.max_age), kept=batch.kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """What outlasts a session: what is on its way to the brain, and what came from it."""

    batches: Batches
    outcomes: Outcomes
    lobby: Lobby


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The cluster as the bridge meets it. `user` is whom the API server takes it for."""

    api: KubeApi
    writes: KubeApi
    """The same client, whose writes are only sent while this process leads."""
    namespace: str
    user: str


class Session:
    """Runs until cancelled; raises only where this process must end."""

    def __init__(
        self,
        agreement: Agreement,
        lasting: Lasting,
        cluster: Cluster,
        *,
        metrics: Metrics,
        rng: random.Random,
        pace: Pace,
    ) -> None:
        self.agreement, self._lasting, self._cluster = agreement, lasting, cluster
        self._metrics, self._rng, self._pace = metrics, rng, pace
        bridge = agreement.bridge
        lasting.batches.bound(agreement.bounds)
        lasting.lobby.rate.limit(bridge.plans_per_minute)
        self._terms = Terms(
            namespace=bridge.namespace or cluster.namespace,
            source=bridge.source or cluster.user,
            cluster_id=agreement.cluster_id,
        )
        self._plans, self._nodes, self._models = ObjectCache(), ObjectCache(), ObjectCache()
        self._sender = Sender(lasting.batches, metrics=metrics, rng=rng, pace=pace)
        self._teller = Teller(lasting.outcomes, cluster.writes, self._plans, metrics=metrics, rng=rng, pace=pace)
        secrets = ApiSecrets(cluster.api, clock=pace.clock)
        self._queries = Queries(Fetch(allowed=anywhere), namespace=cluster.namespace, read=secrets)
        self._sampler = Sampler(nodes=self._nodes, models=self._models, queries=self._queries, metrics=metrics, rng=rng)

    async def run(self) -> None:
        """Speaks with the brain."""
        async with self._connection() as brain, asyncio.TaskGroup() as group:
            watcher = Watcher(
                self._lasting.outcomes,
                self._plans,
                user=self._cluster.user,
                happened=lambda event: self._sender.take([event]) if brain.takes_events else None,
            )
            inside = PlansInside(self._cluster.api, self._terms.namespace)
            plans = self._informer(inside, PLANS, self._plans, changed=watcher.changed, query=_BRIDGED)
            nodes = self._informer(self._cluster.api, _NODES, self._nodes)
            models = self._informer(self._cluster.api, MODELS, self._models)
            for each in (plans, nodes, models):
                group.create_task(each.run(), name=f"watch {each.resource.plural}")
            group.create_task(self._sender.run(brain), name="telemetry out")
            group.create_task(self._teller.run(brain), name="outcomes back")
            group.create_task(self._sample(nodes, models), name="sampling")
            await plans.synced.wait()
            watcher.started.set()
            self._receive(brain, group)

    async def flush(self) -> None:
        """Sends what there is to send; to be called after `run` was cancelled, with a bound."""
        async with self._connection() as brain, asyncio.TaskGroup() as group:
            group.create_task(self._sender.flush(brain))
            group.create_task(self._teller.flush(brain))

    def _receive(self, brain: Brain, group: asyncio.TaskGroup) -> None:
        """Begins to take plans in, once it is known which are there."""
        lasting, bridge = self._lasting, self.agreement.bridge
        intake = Intake(
            self._cluster.writes,
            self._terms,
            Door(known=self._plans, tell=lasting.outcomes.tell, lobby=lasting.lobby),
            metrics=self._metrics,
            rng=self._rng,
            pace=self._pace,
        )
        receiver = Receiver(
            intake.take,
            context=lambda: self._sampler.context(self.agreement.cluster_id, kept=len(lasting.batches)),
            metrics=self._metrics,
            rng=self._rng,
            pace=self._pace,
        )
        group.create_task(intake.run(), name="plans to objects")
        group.create_task(receiver.run(brain, poll_interval=seconds(bridge.poll_interval)), name="plans in")

    async def _sample(self, *informers: Informer) -> None:
        for each in informers:
            await each.settled.wait()
        bridge = self.agreement.bridge
        await self._sampler.run(self._sender.take, wanted=bridge.metrics or (), interval=seconds(bridge.interval))

    def _informer(
        self,
        source: ListWatch,
        resource: Resource,
        cache: ObjectCache,
        *,
        changed: Callable[[Manifest], None] = lambda _: None,
        query: Query = (),
    ) -> Informer:
        return Informer(
            source, resource, cache=cache, changed=changed, metrics=self._metrics, rng=self._rng, query=query
        )

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Brain]:
        bridge, agreement = self.agreement.bridge, self.agreement
        brain: Brain
        if bridge.protocol == "HTTP":
            brain = RestBrain(bridge.endpoint, agreement.credentials, cluster_id=agreement.cluster_id)
        else:
            filters = tuple(bridge.filters or ())
            brain = RpcBrain(bridge.endpoint, agreement.credentials, cluster_id=agreement.cluster_id, filters=filters)
        try:
            yield brain
        finally:
            await brain.close()
            await self._queries.close()
