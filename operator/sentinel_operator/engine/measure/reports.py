"""Asks pods again and again what they have to say, and hands it to the next pass."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping

from sentinel_operator.core.analysis.subject import Subject, Target
from sentinel_operator.core.podreport import PodReport, Watching
from sentinel_operator.engine.measure.fault import CannotMeasure
from sentinel_operator.engine.measure.fetch import Fetch, anywhere

logger = logging.getLogger(__name__)

MOST = 256
"""Objects that are asked at once; further ones wait until another is done."""
_CONCURRENT = 32
_TIMEOUT = 3.0
_LIMIT = 1024 * 1024


class PodReports:
    """Owns a loop for each object until it is forgotten. `changed` is called with the subject when there is news."""

    def __init__(self, *, changed: Callable[[Subject], None], rng: random.Random | None = None) -> None:
        self._changed, self._rng = changed, rng or random.Random()  # noqa: S311 - spreads requests
        self._fetch = Fetch(allowed=anywhere)
        self._free = asyncio.Semaphore(_CONCURRENT)
        self._wanted: dict[str, Watching] = {}
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._reports: dict[str, Mapping[str, PodReport]] = {}

    def want(self, watching: Watching) -> None:
        """Asks these pods from now on; with a change of pods it is simply called again."""
        subject = watching.subject
        self._wanted[subject.uid] = watching
        if subject.uid not in self._loops and len(self._loops) < MOST:
            self._loops[subject.uid] = asyncio.create_task(self._run(subject.uid), name=f"reports {subject.name}")

    def reports(self, uid: str) -> Mapping[str, PodReport]:
        """Gives the newest report of each pod by its uid; one that did not answer the last time has none."""
        return self._reports.get(uid, {})

    def forget(self, uid: str) -> None:
        """Asks no more."""
        loop = self._loops.pop(uid, None)
        if loop is not None:
            loop.cancel()
        self._wanted.pop(uid, None)
        self._reports.pop(uid, None)

    async def close(self) -> None:
        """Ends everything under way."""
        running = set(self._loops.values())
        for uid in list(self._loops):
            self.forget(uid)
        if running:
            await asyncio.wait(running, timeout=5.0)
        await self._fetch.close()

    async def _run(self, uid: str) -> None:
        while True:
            watching = self._wanted[uid]
            subject = watching.subject
            try:
                found = await self._look(watching)
            except Exception:
                logger.exception("asking the pods of %s/%s", subject.namespace, subject.name)
                found = {}
            if found != self._reports.get(uid, {}):
                self._reports[uid] = found
                self._changed(subject)
            await asyncio.sleep(watching.every * self._rng.uniform(0.8, 1.2))

    async def _look(self, watching: Watching) -> dict[str, PodReport]:
        targets = watching.subject.targets
        answers = await asyncio.gather(*(self._ask(target, watching) for target in targets))
        pairs = zip(targets, answers, strict=True)
        return {target.uid: report for target, report in pairs if report is not None}

    async def _ask(self, target: Target, watching: Watching) -> PodReport | None:
        async with self._free:
            try:
                body = await self._fetch.get(target.at(watching.path), timeout=_TIMEOUT, limit=_LIMIT)
                return watching.read(body.decode())
            except (CannotMeasure, ValueError):
                return None
