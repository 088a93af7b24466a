"""Two replicas, each behind a proxy of its own: killed and paused at their writes, and followed by new ones."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

from sentinel_operator.app import Parts
from sentinel_operator.core.actionplan.reconciler import ActionPlanReconciler
from sentinel_operator.core.actionpolicy.reconciler import ActionPolicyReconciler
from tests.support.eventually import eventually
from tests.support.faultproxy import Fault, FaultProxy, Match, Moment, Seen, watches, writes
from tests.support.once.place import LABEL, SPACE
from tests.support.once.story import Blow, Mishap
from tests.support.replica import Replica, settings

PARTS = Parts([ActionPolicyReconciler(), ActionPlanReconciler()])
LEASE = {"lease_duration": 4.0, "lease_deadline": 2.5, "lease_retry": 0.5}
_PATIENCE = {"api_timeout": 2.0, "pass_deadline": 10.0}
_LOOK = 0.05
Tell = Callable[[str], None]


def _changes(seen: Seen) -> bool:
    return writes(seen) and not seen.dry and not seen.path.endswith("/status")


def _statuses(seen: Seen) -> bool:
    return seen.path.endswith("/status")


def _reads(seen: Seen) -> bool:
    return seen.method == "GET" and not seen.watch and not seen.lease and seen.path.count("/") > 5


def _lists(seen: Seen) -> bool:
    return seen.method == "GET" and not seen.watch and seen.path.rsplit("/", 1)[-1] in ("actionpolicies", "pods")


def _leases(seen: Seen) -> bool:
    return seen.lease


_MATCHES: dict[str, Match] = {
    "changes": _changes,
    "statuses": _statuses,
    "writes": writes,
    "reads": _reads,
    "lists": _lists,
    "leases": _leases,
    "watches": watches,
}


def fault(mishap: Mishap) -> Fault:
    """Gives it as the proxy knows it."""
    return Fault(
        match=_MATCHES[mishap.requests],
        times=mishap.times,
        skip=mishap.skip,
        status=mishap.status,
        headers={"Retry-After": "1"} if mishap.status == 429 else {},
        delay=mishap.delay,
        cut=mishap.what in ("cut before", "cut after", "cut watch"),
        after_forwarding=mishap.what in ("cut after", "late"),
    )


@dataclass(slots=True)
class Post:
    """One replica and its proxy."""

    name: str
    proxy: FaultProxy
    replica: Replica
    identity: str
    struck: bool = False
    """It was killed, or paused for longer than its lease."""
    paused: bool = False


class Pair:
    """Keeps two replicas going until left."""

    def __init__(
        self, kubeconfig: Path, run: str, *, blows: Iterable[Blow], mishaps: Iterable[Mishap], tell: Tell
    ) -> None:
        self._kubeconfig, self._run, self._tell = kubeconfig, run, tell
        self._blows, self._names = list(blows), itertools.chain(ascii_uppercase, (f"Z{n}" for n in itertools.count()))
        self.mishaps = [(each, fault(each)) for each in mishaps]
        self._stack, self._sleeping = AsyncExitStack(), ExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writes = 0
        self.posts: list[Post] = []
        self.struck: Counter[str] = Counter()

    @property
    def lease(self) -> str:
        """Names the lease that they compete for."""
        return f"{LABEL}-{self._run}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Starts them; whoever ends is followed by another."""
        async with self._stack:
            await self._start()
            await self._start()
            keeper = asyncio.create_task(self._keep())
            try:
                yield
            finally:
                keeper.cancel()
                await asyncio.wait([keeper])
                self._sleeping.close()
                for each in self._tasks:
                    each.cancel()
                for post in self.posts:
                    post.proxy.dead.set()
                    post.proxy.let_go()

    async def awake(self) -> None:
        """Waits until nobody is paused any more, and whoever was has ended, or leads again since nobody else came."""
        while self._tasks:
            await asyncio.wait(self._tasks)

        async def known() -> bool:
            return all(not each.struck or each.replica.over or each.replica.leads for each in self.posts)

        await eventually(known, within=60)

    # -------------------------------------------------------------------------------- what becomes of them

    async def _keep(self) -> None:
        while True:
            while sum(not each.replica.over for each in self.posts) < 2:
                await self._start()
            await asyncio.sleep(_LOOK)

    async def _start(self) -> None:
        name = next(self._names)
        post: Post | None = None

        def witness(seen: Seen, moment: Moment) -> None:
            if post is not None:
                self._witness(post, moment)

        opened = FaultProxy.open(self._kubeconfig, label=f"{LABEL}={self._run}", witness=witness)
        proxy = await self._stack.enter_async_context(opened)
        proxy.inject(*(each for _, each in self.mishaps))
        identity = f"{self._run}-{name}"
        chosen = settings(
            proxy.kubeconfig(), SPACE, lease=self.lease, identity=identity, workers=3, **LEASE, **_PATIENCE
        )
        replica = Replica(chosen, PARTS)
        post = Post(name, proxy, replica, identity)
        self.posts.append(post)
        await self._stack.enter_async_context(replica)
        self._tell(f"{name} starts")

    def _witness(self, post: Post, moment: Moment) -> None:
        self._writes += moment == "before"
        if not self._blows or post.paused or self._writes < self._blows[0].write or self._blows[0].when != moment:
            return
        blow = self._blows.pop(0)
        self.struck[f"{blow.what}, write {blow.when}"] += 1
        self._tell(f"{post.name}: {blow.what} at write {self._writes}, {blow.when}")
        match blow.what:
            case "kill":
                post.struck = post.paused = True
                post.proxy.dead.set()
                self._soon(post.replica.kill())
            case "pause":
                post.struck = post.paused = True
                pause = self._sleeping.enter_context(ExitStack())
                pause.enter_context(post.replica.paused())
                self._soon(self._later(LEASE["lease_duration"] + blow.seconds, post, pause.close))
            case "hold":
                post.struck = post.paused = True
                post.proxy.hold()
                self._soon(self._later(LEASE["lease_duration"] + blow.seconds, post, post.proxy.let_go))
            case "drop watches":
                post.proxy.drop_watches()

    async def _later(self, seconds: float, post: Post, then: Callable[[], None]) -> None:
        await asyncio.sleep(seconds)
        self._tell(f"{post.name} goes on")
        then()
        post.paused = False

    def _soon(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def now() -> float:
    """Gives seconds since 1970, as the proxies count them."""
    return time.time()
