"""Lets the workers of each kind begin once this process knows what it has to know."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Mapping

from sentinel_operator.api.kinds import ACTION_PLAN, ACTION_POLICY
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.backoff import Backoff
from sentinel_operator.engine.cache import key_of
from sentinel_operator.engine.controller import Controller
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.informer import Informer
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.queue import Lane
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.supervisor import Supervisor

logger = logging.getLogger(__name__)


class Priming:
    """`primed` is set for a kind once its caches are full, `recounted` once its workers may begin."""

    def __init__(
        self,
        api: KubeApi,
        *,
        controllers: Mapping[str, Controller],
        informers: Mapping[Resource, Informer],
        watched: Mapping[str, Informer],
        optional: Collection[Resource],
        configured: asyncio.Event,
        elected: asyncio.Event,
        budgeted: Callable[[], bool],
        rng: random.Random,
    ) -> None:
        self._api, self._controllers, self._informers, self._optional = api, controllers, informers, optional
        self._watched = watched
        self._configured, self._elected, self._budgeted, self._rng = configured, elected, budgeted, rng
        self.primed = {name: asyncio.Event() for name in controllers}
        self.recounted = {name: asyncio.Event() for name in controllers}

    def start(self, supervisor: Supervisor) -> None:
        """Begins; each part ends by itself."""
        for name in self._controllers:
            _ = supervisor.start(f"{name} priming", self._prime(name), may_end=True)
            _ = supervisor.start(f"{name} recount", self._recount(name), may_end=True)
        for resource in self._optional:
            _ = supervisor.start(f"arrival of {resource.plural}", self._arrived(resource), may_end=True)

    async def _prime(self, name: str) -> None:
        """Fills the caches of a kind; kopf tells nobody when it has listed it."""
        controller = self._controllers[name]
        await self._configured.wait()
        for resource in controller.view.children:
            informer = self._informers[resource]
            await (informer.settled if resource in self._optional else informer.synced).wait()
        if name in self._watched:
            await self._watched[name].synced.wait()
            self.primed[name].set()
            return
        items, version = await self._listed(controller)
        controller.view.primary.replace(items, version)
        for key in controller.view.primary:
            controller.queue.add(key, Lane.RESYNC)
        self.primed[name].set()

    async def _recount(self, name: str) -> None:
        """Takes in what the former leader wrote last: by the change budget, a rollout that it began is one that others
        wait for, and a plan that it began has its targets."""
        await self.primed[name].wait()
        if name == ACTION_PLAN.kind and ACTION_POLICY.kind in self.primed:
            await self.primed[ACTION_POLICY.kind].wait()
        waited = not self._elected.is_set()
        await self._elected.wait()
        if name == ACTION_PLAN.kind or (waited and self._budgeted()):
            controller = self._controllers[name]
            changed, gone = controller.view.primary.replace(*await self._listed(controller))
            for raw in (*changed, *gone):
                controller.queue.add(key_of(raw))
        self.recounted[name].set()

    async def _arrived(self, resource: Resource) -> None:
        """Looks at everything anew once an API that the cluster lacked is served."""
        informer = self._informers[resource]
        await informer.settled.wait()
        lacking = not informer.synced.is_set()
        await informer.synced.wait()
        for controller in self._controllers.values():
            if lacking and resource in controller.view.children:
                controller.enqueue_all()

    async def _listed(self, controller: Controller) -> tuple[list[Manifest], str]:
        """Lists as soon as that is possible: the CRD may not be there yet."""
        backoff = Backoff(self._rng, cap=3.0)
        while True:
            try:
                return await self._api.list(controller.view.resource, kept=controller.view.primary.lean)
            except ApiError as error:
                logger.info("cannot list %s yet: %s", controller.view.resource.plural, error)
                await asyncio.sleep(backoff.next())
