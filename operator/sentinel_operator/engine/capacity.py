"""Whether one more pod finds room: nodes and pods are listed when a rollout wants to know, and never watched.

All pods of a cluster are much to read and to keep, and the answer is needed once in a rollout that leaves the choice
of its strategy to it. So they are read page by page, of each page only the sums are kept, and those for a short time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Protocol

from sentinel_operator.core.capacity.placement import Node, node_of
from sentinel_operator.core.capacity.requests import added
from sentinel_operator.core.capacity.room import Room, load_of, placed, room_of
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.reconciler import PODS
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.kube import Page
from sentinel_operator.engine.resources import NODES, Resource
from sentinel_operator.engine.transport import Query

logger = logging.getLogger(__name__)

_ALL_PODS = Resource.of_child(PODS)
_RUNNING: Query = (("fieldSelector", "status.phase!=Succeeded,status.phase!=Failed"),)


class Pages(Protocol):
    """What is needed of the API client."""

    def pages(self, resource: Resource, *, query: Query = ()) -> AsyncIterator[Page]:
        """Lists in pages."""


class Capacity:
    """Answers from what was seen in the last `lifetime` seconds; one list at a time, given up after `timeout` seconds.

    Room that was promised to one is not promised to another as long as what was seen is believed.
    """

    def __init__(
        self, api: Pages, *, clock: Callable[[], float], lifetime: float = 10.0, timeout: float = 20.0
    ) -> None:
        self._api, self._clock, self._lifetime, self._timeout = api, clock, lifetime, timeout
        self._look: asyncio.Task[None] | None = None
        self._until = float("-inf")
        self._room: Room | None = None
        self._said: dict[str, bool | None] = {}

    async def spare(self, asker: str, template: Manifest) -> bool | None:
        """Tells whether one more pod of a template finds room; None where that cannot be told. Never raises.

        `asker` names the pod: asked again, it is answered as before.
        """
        await self._see()
        if asker not in self._said and self._room is not None:
            self._said[asker], self._room = self._placed(self._room, template["spec"])
        return self._said.get(asker)

    async def close(self) -> None:
        """Ends a list that is under way."""
        look = self._look
        if look is not None:
            look.cancel()
            await asyncio.wait([look])

    async def _see(self) -> None:
        """Makes sure that what is known is fresh, or that nothing is known."""
        if self._look is None:
            if self._clock() < self._until:
                return
            self._look = asyncio.create_task(self._looked())
        await asyncio.shield(self._look)  # whoever else waits for it still does when this pass is given up

    async def _looked(self) -> None:
        try:
            self._room = await self._listed()
            self._said, self._until = {}, self._clock() + self._lifetime
        finally:
            self._look = None

    async def _listed(self) -> Room | None:
        try:
            async with asyncio.timeout(self._timeout):
                return room_of(await self._nodes(), (await self._loads()).items())
        except TimeoutError:
            logger.warning("whether there is room is not known: nodes and pods took longer than %g s", self._timeout)
        except ApiError as error:
            logger.warning("whether there is room is not known: %s", error)
        except (ValueError, KeyError, TypeError, AttributeError):  # of an object that is not as it should be
            logger.exception("whether there is room is not known")
        return None

    async def _nodes(self) -> list[Node]:
        nodes: list[Node] = []
        async for page in self._api.pages(NODES):
            nodes.extend(node for raw in page.items if (node := node_of(raw)) is not None)
        return nodes

    async def _loads(self) -> dict[str, dict[str, Decimal]]:
        """Adds up what the pods of each node ask for."""
        used: dict[str, dict[str, Decimal]] = {}
        async for page in self._api.pages(_ALL_PODS, query=_RUNNING):
            for raw in page.items:
                load = load_of(raw)
                if load is not None:
                    used[load[0]] = added(used.get(load[0], {}), load[1])
        return used

    @staticmethod
    def _placed(room: Room, spec: Manifest) -> tuple[bool | None, Room]:
        try:
            return placed(room, spec)
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.exception("whether there is room for a pod is not known")
            return None, room
