"""Takes the measurements that passes ask for, and hands each to the next pass. Never fails and never waits."""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.analysis.progress import Task
from sentinel_operator.core.analysis.subject import Subject
from sentinel_operator.core.analysis.window import contrast
from sentinel_operator.engine.measure import prometheus, web
from sentinel_operator.engine.measure.fault import CannotMeasure
from sentinel_operator.engine.measure.fetch import Allowed, Fetch, anywhere, is_public_or_cluster
from sentinel_operator.engine.measure.pods import PodMetrics
from sentinel_operator.engine.measure.secrets import Discreet, SecretReader, no_secrets
from sentinel_operator.engine.measure.shelf import Place, Shelf

logger = logging.getLogger(__name__)

_UNDER_WAY = 512
_LONGEST = 150.0  # two requests of a minute each, and the wait for a free connection
Work = Callable[[], Awaitable[None]]


class Measurer:
    """Owns the requests under way until closed. `changed` is called with the subject when there is news of it."""

    def __init__(
        self,
        *,
        changed: Callable[[Subject], None],
        read_secret: SecretReader = no_secrets,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        allowed: Allowed = is_public_or_cluster,
    ) -> None:
        self._changed, self._read, self._now = changed, read_secret, now
        self._inside, self._outside = Fetch(allowed=anywhere), Fetch(allowed=allowed)
        self._pods = PodMetrics(self._inside, now=now)
        self._shelf = Shelf()
        self._under_way: dict[Place, asyncio.Task[None]] = {}

    def want(self, subject: Subject, tasks: Sequence[Task]) -> bool:
        """Starts what is due and not under way. False where too much is under way: ask again later."""
        wanted = [task for task in tasks if self._is_news(subject, task)]
        counted = [task for task in wanted if task.source == "pods"]
        singles = [task for task in wanted if task.source in {"prometheus", "web"}]
        if len(self._under_way) + len(wanted) > _UNDER_WAY:
            return False
        if counted:
            self._start(subject, counted, lambda: self._look(subject, counted))
        for task in singles:
            self._start(subject, [task], lambda task=task: self._ask(subject, task))  # type: ignore[misc]
        return True

    def measured(self, uid: str, revision: str) -> Mapping[str, Measurement]:
        """Gives the newest measurement of each metric; the same ones until newer ones are there."""
        return self._shelf.of(uid, revision)

    def forget(self, uid: str) -> None:
        """Drops an object that is gone or whose analysis is over."""
        for place in [place for place in self._under_way if place.uid == uid]:
            self._under_way[place].cancel()
        self._shelf.forget(uid)

    async def close(self) -> None:
        """Ends everything under way."""
        running = set(self._under_way.values())
        for each in running:
            each.cancel()
        if running:
            await asyncio.wait(running, timeout=5.0)
        await self._inside.close()
        await self._outside.close()

    def _is_news(self, subject: Subject, task: Task) -> bool:
        place = _place(subject, task)
        newest = self._shelf.newest(place)
        waiting = newest is not None and (newest.at > task.since if task.since else newest.at >= task.started)
        return place not in self._under_way and not waiting

    def _start(self, subject: Subject, tasks: list[Task], work: Work) -> None:
        running = asyncio.create_task(self._run(subject, tasks, work), name=f"measure {subject.name}")
        for task in tasks:
            self._under_way[_place(subject, task)] = running
        running.add_done_callback(lambda _: self._ended(subject, tasks, running))

    def _ended(self, subject: Subject, tasks: list[Task], running: asyncio.Task[None]) -> None:
        for task in tasks:
            if self._under_way.get(_place(subject, task)) is running:
                del self._under_way[_place(subject, task)]
        if not running.cancelled():
            self._changed(subject)

    async def _run(self, subject: Subject, tasks: list[Task], work: Work) -> None:
        """Nothing that a provider does may reach the controller: what is not foreseen is a fault of ours, and said."""
        try:
            async with asyncio.timeout(_LONGEST):
                await work()
        except CannotMeasure as error:
            self._fail(subject, tasks, str(error))
        except TimeoutError:
            self._fail(subject, tasks, f"no answer within {_LONGEST:g} s")
        except Exception as error:  # noqa: BLE001 - it is told, and must not end the controller
            # Without its words, which may repeat what was sent.
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.error("measuring %s/%s: %s\n%s", subject.namespace, subject.name, type(error).__name__, where)  # noqa: TRY400
            self._fail(subject, tasks, f"internal error: {type(error).__name__}")

    def _fail(self, subject: Subject, tasks: list[Task], why: str) -> None:
        for task in tasks:
            # The counting goes on from where it began: what was missed is counted by the next look that works.
            self._shelf.put(_place(subject, task), Measurement(at=self._now(), error=why), base=task.since)

    async def _look(self, subject: Subject, tasks: list[Task]) -> None:
        look = await self._pods.look(subject)
        for task in tasks:
            place = _place(subject, task)
            before = self._shelf.look_at(place, task.since)
            builtin = task.check.builtin
            if before is None or builtin is None:
                found = Measurement(at=look.snapshot.at, opened=True)
            else:
                counts = contrast(
                    builtin, canary=subject.canary, stable=subject.stable, before=before, after=look.snapshot
                )
                found = Measurement(at=look.snapshot.at, contrast=counts, note="; ".join(look.faults[:2]))
            self._shelf.put(place, found, look.snapshot, base=task.since)

    async def _ask(self, subject: Subject, task: Task) -> None:
        value, baseline, check, read = math.nan, math.nan, task.check, Discreet(self._read)
        try:
            if check.prometheus is not None:
                value, baseline = await prometheus.ask(check.prometheus, subject, fetch=self._outside, read=read)
            elif check.web is not None:
                value = await web.ask(check.web, subject, fetch=self._outside, read=read)
        except CannotMeasure as error:
            raise CannotMeasure(read.without(str(error))) from None
        self._shelf.put(
            _place(subject, task), Measurement(at=self._now(), value=value, baseline=baseline), base=task.since
        )


def _place(subject: Subject, task: Task) -> Place:
    return Place(subject.uid, subject.canary, task.check.name)
