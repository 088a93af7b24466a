"""Puts the engine together for a list of reconcilers: one informer a resource, one queue and executor a kind."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sentinel_operator.api.kinds import ACTION_PLAN, NODE_TELEMETRY, SENTINEL_CONFIG
from sentinel_operator.core import names
from sentinel_operator.core.analysis.subject import Subject
from sentinel_operator.core.budget.claim import Claimant
from sentinel_operator.core.budget.limits import limited
from sentinel_operator.core.plan import Asking, Manifest, ObjectRef
from sentinel_operator.core.reconciler import PODS, Reconciler
from sentinel_operator.engine.access import Access
from sentinel_operator.engine.budget import Ledger
from sentinel_operator.engine.cache import Key, ObjectCache, Owner, key_of, owner_of
from sentinel_operator.engine.capacity import Capacity
from sentinel_operator.engine.configsource import NAME, ConfigSource
from sentinel_operator.engine.controller import Controller
from sentinel_operator.engine.decider import Budgeted, Decider
from sentinel_operator.engine.errands import Errands
from sentinel_operator.engine.executor import Executor
from sentinel_operator.engine.gates import Asker
from sentinel_operator.engine.informer import Informer
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.leader import Elector, LeaseSettings
from sentinel_operator.engine.measure.measurer import Measurer
from sentinel_operator.engine.measure.reports import PodReports
from sentinel_operator.engine.measure.secrets import ApiSecrets
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.planning import Planning
from sentinel_operator.engine.priming import Priming
from sentinel_operator.engine.queue import Lane, WorkQueue
from sentinel_operator.engine.recorder import EventRecorder
from sentinel_operator.engine.references import References
from sentinel_operator.engine.referencewatch import ReferenceWatch
from sentinel_operator.engine.resources import CONFIG_MAPS, Resource, ResourceTable
from sentinel_operator.engine.resync import Resync
from sentinel_operator.engine.supervisor import Supervisor, Task
from sentinel_operator.engine.telemetry import NodeTelemetries
from sentinel_operator.engine.transport import Limits, Transport
from sentinel_operator.engine.view import View

logger = logging.getLogger(__name__)

_IN_FLOODS = (ACTION_PLAN.kind,)
"""Kinds whose objects come and change by the thousand. kopf spends two milliseconds on an event; their watch is the
engine's own."""
_CHILDREN = f"{names.MANAGED_BY}={names.OPERATOR},{names.KIND}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSettings:
    """What the engine has to be told."""

    election: LeaseSettings
    workers: int
    limits: Limits
    pass_deadline: float
    resync: float


class Runtime:
    """Everything that runs, ready to be started; nothing is sent before `start`."""

    def __init__(self, access: Access, reconcilers: Sequence[Reconciler[Any]], settings: RuntimeSettings) -> None:
        self.settings = settings
        self.rng = random.Random()  # noqa: S311 - jitter
        self.metrics = Metrics()
        self.api = KubeApi(Transport(access, metrics=self.metrics, limits=settings.limits))
        self.elector = Elector(self._lease_api(access), settings.election, rng=self.rng)
        self.leader_api = self.api.fenced(self.elector)
        self.metrics.leads(self.elector.elected.is_set)
        self.recorder = EventRecorder(
            self.leader_api, instance=settings.election.identity, metrics=self.metrics, clock=time.monotonic
        )
        self.informers: dict[Resource, Informer] = {}
        self.capacity = Capacity(self.api, clock=time.monotonic)
        self._errands: list[Errands] = []
        self.ledger = self._ledger()
        self._optional = {Resource.of_child(child) for each in reconcilers for child in each.children if child.optional}
        self._config_cache = ObjectCache()
        self.config = ConfigSource(self._config_cache, changed=self._config_changed)
        self.config_informer = self._watch_config()
        self.table = ResourceTable(Resource.of_child(child) for each in reconcilers for child in each.children)
        pods = self._informer(Resource.of_child(PODS)).cache
        self.telemetries = NodeTelemetries(
            pods=pods, wake=self._wake, timers=asyncio.get_running_loop(), now=functools.partial(datetime.now, UTC)
        )
        self.telemetry_informer = self._watch_telemetry()
        self.planning = self._planning(pods)
        self.controllers = {each.kind.kind: self._controller(each) for each in reconcilers}
        self.watched = {name: self._watch(self.controllers[name]) for name in _IN_FLOODS if name in self.controllers}
        """By kind, the informers of our own kinds that are not left to kopf."""
        self.reference_watch = self._watch_references()
        self.priming = Priming(
            self.api,
            controllers=self.controllers,
            informers=self.informers,
            watched=self.watched,
            optional=self._optional,
            configured=self.config_informer.settled,
            elected=self.elector.elected,
            budgeted=lambda: limited(self.config.current().change_budget),
            rng=self.rng,
        )
        self.resync = Resync(self.api, tuple(self.controllers.values()), period=settings.resync, rng=self.rng)

    def start(self, supervisor: Supervisor) -> tuple[Task, list[Task]]:
        """Starts all but kopf; gives the elector's task, which ends when the lease is lost, and the workers'."""
        own = (self.config_informer, self.telemetry_informer, *self.watched.values())
        for informer in (*own, *self.informers.values()):
            supervisor.keep(f"informer of {informer.resource.plural}", informer.run())
        supervisor.keep("watch of references", self.reference_watch.run())
        supervisor.keep("event recorder", self.recorder.run())
        supervisor.keep("resync", self.resync.run())
        supervisor.keep("pruning of plans", self.planning.prune(self.elector.elected))
        supervisor.keep("publishing of transitions", self.planning.publish(self.elector.elected))
        supervisor.keep("looks at models", self.planning.looks.run(self.elector.elected))
        self.priming.start(supervisor)
        workers = [
            supervisor.start(f"{name} worker {number}", self._work(name, controller))
            for name, controller in self.controllers.items()
            for number in range(self.settings.workers)
        ]
        return supervisor.start("leader election", self.elector.run()), workers

    @property
    def synced(self) -> bool:
        """Tells whether every cache is as the cluster was when it was first listed."""
        return all(event.is_set() for event in self.priming.primed.values())

    def shut_down_queues(self) -> None:
        """Hands out no more keys."""
        for controller in self.controllers.values():
            controller.queue.shut_down()

    async def close(self) -> None:
        """Ends what is being measured and asked."""
        await asyncio.gather(
            self.capacity.close(), self.planning.levels.close(), *(each.close() for each in self._errands)
        )

    async def drained(self) -> None:
        """Waits until no pass is under way. The caller bounds the time."""
        for controller in self.controllers.values():
            await controller.queue.drained()

    async def _work(self, name: str, controller: Controller) -> None:
        await self.priming.recounted[name].wait()
        await controller.work(self.elector.elected)

    def _controller(self, reconciler: Reconciler[Any]) -> Controller:
        resource = Resource.of_kind(reconciler.kind)
        primary = ObjectCache(observer=self._observer(resource.kind), kept=self.planning.kept(resource.kind))
        children = {Resource.of_child(child) for child in reconciler.children if child.watched}
        view = View(resource, primary, {child: self._informer(child).cache for child in children})
        executor = Executor(
            self.leader_api,
            resource=resource,
            primary=primary,
            table=self.table,
            caches=view.children,
            recorder=self.recorder,
            clock=time.monotonic,
            now=functools.partial(datetime.now, UTC),
        )
        queue: WorkQueue[Key] = WorkQueue(
            timers=asyncio.get_running_loop(), metrics=self.metrics.queue(resource.kind), rng=self.rng
        )
        errands, references = self._new_errands(queue), References(self.api, self.table, clock=time.monotonic)
        planning = self.planning.around(resource.kind, primary, executor.foreign)
        decider = Decider(
            reconciler,
            view,
            references=references,
            config=self.config.current,
            now=functools.partial(datetime.now, UTC),
            errands=errands,
            telemetry=self.telemetries,
            around=planning or Budgeted(self.ledger, self.capacity),
        )
        return Controller(
            reconciler,
            view,
            decider=decider,
            errands=errands,
            slots=self.ledger,
            queue=queue,
            executor=executor,
            references=references,
            metrics=self.metrics,
            deadline=self.settings.pass_deadline,
        )

    def _observer(self, kind: str) -> Callable[[Key, Manifest | None], None]:
        observers = [lambda key, raw: self.ledger.seen(Claimant(kind, *key), raw), *self.planning.observers(kind)]

        def observe(key: Key, raw: Manifest | None) -> None:
            for each in observers:
                each(key, raw)

        return observe

    def _planning(self, pods: ObjectCache) -> Planning:
        def wake(kind: str, key: Key) -> None:
            if kind in self.controllers:
                self.controllers[kind].queue.add(key)

        return Planning(
            api=self.api,
            leader_api=self.leader_api,
            table=self.table,
            config=self.config.current,
            wake=wake,
            now=functools.partial(datetime.now, UTC),
            metrics=self.metrics,
            rng=self.rng,
            leads=self.elector.elected.is_set,
            pods=pods,
        )

    def _new_errands(self, queue: WorkQueue[Key]) -> Errands:
        """What comes of them is news of their object."""

        def changed(about: Subject | Asking) -> None:
            queue.add(Key(about.namespace, about.name))

        errands = Errands(
            measurer=Measurer(changed=changed, read_secret=ApiSecrets(self.api, clock=time.monotonic)),
            gates=Asker(changed=changed, may_ask=self.elector.elected, rng=self.rng),
            reports=PodReports(changed=changed, rng=self.rng),
        )
        self._errands.append(errands)
        return errands

    def _informer(self, resource: Resource) -> Informer:
        if resource not in self.informers:
            self.informers[resource] = Informer(
                self.api,
                resource,
                cache=ObjectCache(),
                changed=self._child_changed,
                metrics=self.metrics,
                rng=self.rng,
                query=(("labelSelector", _CHILDREN),),
            )
        return self.informers[resource]

    def _child_changed(self, raw: Manifest) -> None:
        owner = owner_of(raw)
        if owner is not None:
            self._wake(owner)

    def _wake(self, owner: Owner, after: float = 0.0) -> None:
        controller = self.controllers.get(owner.kind)
        if controller is not None:
            controller.child_changed(owner, after=after)

    def _watch(self, controller: Controller) -> Informer:
        """Keeps the cache of a controller's own kind, and queues what became different in it."""

        def changed(raw: Manifest) -> None:
            controller.queue.add(key_of(raw), Lane.EDIT if informer.synced.is_set() else Lane.RESYNC)

        informer = Informer(
            self.api,
            controller.view.resource,
            cache=controller.view.primary,
            changed=changed,
            metrics=self.metrics,
            rng=self.rng,
        )
        return informer

    def _watch_config(self) -> Informer:
        return Informer(
            self.api,
            Resource.of_kind(SENTINEL_CONFIG),
            cache=self._config_cache,
            changed=self.config.seen,
            metrics=self.metrics,
            rng=self.rng,
            query=(("fieldSelector", f"metadata.name={NAME}"),),
        )

    def _watch_telemetry(self) -> Informer:
        """An optional one: a cluster without GPUs needs no agents, nor their CRD."""
        return Informer(
            self.api,
            Resource.of_kind(NODE_TELEMETRY),
            cache=ObjectCache(observer=self.telemetries.seen),
            changed=lambda _: None,
            metrics=self.metrics,
            rng=self.rng,
        )

    def _watch_references(self) -> ReferenceWatch:
        def changed(ref: ObjectRef) -> None:
            for controller in self.controllers.values():
                controller.reference_changed(ref)

        def lost() -> None:
            for controller in self.controllers.values():
                controller.references_lost()

        return ReferenceWatch(self.api, CONFIG_MAPS, changed=changed, lost=lost, metrics=self.metrics, rng=self.rng)

    def _config_changed(self) -> None:
        """Wakes those whom the change budget lets begin now first, and then everybody."""
        self.ledger.limits_changed(
            (Claimant(name, *key), raw)
            for name, controller in self.controllers.items()
            for key in controller.view.primary
            if (raw := controller.view.primary.get(key)) is not None
        )
        self.planning.reconfigured()
        for controller in self.controllers.values():
            controller.enqueue_all()

    def _ledger(self) -> Ledger:
        def wake(who: Claimant) -> None:
            self.controllers[who.kind].queue.add(Key(who.namespace, who.name))

        ledger = Ledger(
            budget=lambda: self.config.current().change_budget,
            wake=wake,
            soon=asyncio.get_running_loop().call_soon,
            now=functools.partial(datetime.now, UTC),
        )
        self.metrics.rollouts(under_way=lambda: ledger.holding, waiting=lambda: ledger.waiting)
        return ledger

    def _lease_api(self, access: Access) -> KubeApi:
        """A client of its own for the lease: however slow all else is, a renewal never waits for a free slot."""
        limits = Limits(timeout=self.settings.election.deadline / 2, concurrency=2)
        return KubeApi(Transport(access, metrics=self.metrics, limits=limits))
