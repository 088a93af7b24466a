"""Leadership by a coordination.k8s.io Lease: of all replicas at most one writes.

The holder renews every `retry` seconds. It considers itself the leader only until `deadline` after it *sent* the last
renewal that succeeded, and the others take over only when they have seen no renewal for `duration`: the difference is
what a request in flight has to finish in. Time is CLOCK_BOOTTIME, which goes on while the process is stopped or the
machine sleeps, so a leader that wakes up late finds its lease expired before it sends anything.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.errors import ApiError, Conflict
from sentinel_operator.engine.resources import LEASES, Resource

logger = logging.getLogger(__name__)

_FIELD_MANAGER = "sentinel-leader"


def boot_time() -> float:
    """Gives seconds that never jump and never stand still."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """Whose lease, and its times in seconds; `duration > deadline > retry`."""

    namespace: str
    name: str
    identity: str
    duration: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not self.duration > self.deadline > self.retry > 0:
            times = f"{self.duration} {self.deadline} {self.retry}"
            raise ValueError(f"lease times must satisfy duration > deadline > retry > 0, not {times}")


class LeaseApi(Protocol):
    """What an elector needs of the API client. Its writes must not be fenced by the very lease."""

    async def find(self, resource: Resource, namespace: str, name: str, /) -> Manifest | None:
        """Reads the lease."""

    async def create(self, resource: Resource, manifest: Manifest, /, *, field_manager: str = ...) -> Manifest:
        """Creates it, or raises Conflict."""

    async def replace(self, resource: Resource, manifest: Manifest, /, *, field_manager: str = ...) -> Manifest:
        """Replaces that very version of it, or raises Conflict."""


class Elector:
    """Campaigns for the lease, holds it, and knows at any moment whether it may write.

    `run` returns when a held lease was lost: the process has to stop, for its workers' state is not to be trusted.
    """

    def __init__(
        self,
        api: LeaseApi,
        settings: LeaseSettings,
        *,
        rng: random.Random,
        clock: Callable[[], float] = boot_time,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api, self._settings, self._rng = api, settings, rng
        self._clock, self._wall, self._sleep = clock, wall, sleep
        self.elected = asyncio.Event()
        self._lease: Manifest | None = None
        self._valid_until = float("-inf")
        self._seen: tuple[str, float] = ("", float("-inf"))

    def remaining(self) -> float:
        """Gives for how many seconds writing is still allowed; it is the fence of every write."""
        return self._valid_until - self._clock()

    async def run(self) -> None:
        """Campaigns until elected, then renews until that fails for `deadline` seconds."""
        while not await self._attempt():
            await self._pause()
        logger.info("elected", extra={"identity": self._settings.identity})
        self.elected.set()
        try:
            while self.remaining() > 0:
                await self._pause(at_most=self.remaining())
                await self._attempt()
        finally:
            self.elected.clear()
        logger.error("the lease was lost", extra={"identity": self._settings.identity})

    async def release(self) -> None:
        """Gives a held lease up, so that the next leader need not wait for it to expire. Never raises."""
        held, self._valid_until = self.remaining() > 0, float("-inf")
        self.elected.clear()
        if not held or self._lease is None:
            return
        try:
            async with asyncio.timeout(self._settings.retry):
                await self._give_up(self._lease)
        except (ApiError, TimeoutError) as error:
            logger.warning("the lease was not released and will expire: %s", error)

    async def _give_up(self, lease: Manifest) -> None:
        try:
            await self._put(self._free(lease))
        except Conflict:
            # A renewal that was under way when it was cancelled may have landed.
            live = await self._api.find(LEASES, self._settings.namespace, self._settings.name)
            if live is not None and (live.get("spec") or {}).get("holderIdentity") == self._settings.identity:
                await self._put(self._free(live))

    async def _attempt(self) -> bool:
        """Tries once to get or to renew the lease; True where that succeeded."""
        sent = self._clock()
        try:
            async with asyncio.timeout(self._settings.deadline / 2):  # leaves a leader time for a second attempt
                self._lease = await self._acquire_or_renew()
        except Conflict:
            self._lease = None
            return False
        except (ApiError, TimeoutError) as error:
            logger.warning("cannot get or renew the lease: %s", error)
            self._lease = None
            return False
        if self._lease is None:
            if self.remaining() > 0:
                self._valid_until = float("-inf")  # somebody else holds it now
            return False
        self._valid_until = sent + self._settings.deadline
        return True

    async def _acquire_or_renew(self) -> Manifest | None:
        if self._lease is not None:  # the version that we wrote last: if it is still that one, it is still ours
            return await self._put({**self._lease, "spec": {**self._lease["spec"], "renewTime": self._now()}})
        lease = await self._api.find(LEASES, self._settings.namespace, self._settings.name)
        if lease is None:
            return await self._api.create(LEASES, self._new(), field_manager=_FIELD_MANAGER)
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") == self._settings.identity:
            return await self._put({**lease, "spec": {**spec, "renewTime": self._now()}})
        if self._held_by_other(lease):
            return None
        return await self._put({**lease, "spec": self._taken_over(spec)})

    def _held_by_other(self, lease: Manifest) -> bool:
        """Tells by our own clock: a version that has not changed for its whole duration since we first saw it."""
        spec = lease.get("spec") or {}
        if not spec.get("holderIdentity"):
            return False
        version = lease["metadata"]["resourceVersion"]
        if self._seen[0] != version:
            self._seen = (version, self._clock())
        return self._clock() < self._seen[1] + float(spec.get("leaseDurationSeconds") or self._settings.duration)

    async def _put(self, lease: Manifest) -> Manifest:
        lease["metadata"].pop("managedFields", None)
        return await self._api.replace(LEASES, lease, field_manager=_FIELD_MANAGER)

    def _new(self) -> Manifest:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"namespace": self._settings.namespace, "name": self._settings.name},
            "spec": {**self._taken_over({}), "leaseTransitions": 0},
        }

    def _free(self, lease: Manifest) -> Manifest:
        spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._now()}
        return {**lease, "spec": spec}

    def _taken_over(self, spec: Manifest) -> Manifest:
        now = self._now()
        return {
            **spec,
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": max(1, round(self._settings.duration)),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1,
        }

    def _now(self) -> str:
        return self._wall().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    async def _pause(self, *, at_most: float = float("inf")) -> None:
        await self._sleep(min(at_most, self._settings.retry * self._rng.uniform(1.0, 1.2)))
