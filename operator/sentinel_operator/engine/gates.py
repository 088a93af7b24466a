"""Asks the gates that passes want until they open, and hands each answer to the next pass. Never fails, never waits."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping

import orjson

from sentinel_operator.core.plan import Asking
from sentinel_operator.core.rollout.observed import GateView
from sentinel_operator.engine.backoff import Backoff
from sentinel_operator.engine.errors import seconds_to_wait
from sentinel_operator.engine.measure.fault import CannotMeasure, quoted
from sentinel_operator.engine.measure.fetch import Allowed, Answer, Fetch, is_public_or_cluster, status_words

logger = logging.getLogger(__name__)

_AT_ONCE = 64
"""Requests under way, over all gates; each gate has one at a time."""
_TIMEOUT = 10.0
_HEAD = 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 30.0
_LONGEST_ASKED_FOR = 60.0
_WORDS = frozenset({"text/plain", "application/json"})
"""What a gate says to people in; a page for browsers says nothing."""


class _Gate:
    """One gate, its last answer, and the task that asks it."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self.view: GateView | None = None
        self.task: asyncio.Task[None] | None = None

    def is_same(self, asking: Asking) -> bool:
        return (self.asking.key, self.asking.url) == (asking.key, asking.url)

    def end(self) -> None:
        if self.task is not None:
            self.task.cancel()


class Asker:
    """Owns the requests under way until closed: at most one gate an object. Nothing is asked until `may_ask` is set,
    as it is while this process leads. `changed` is called when a gate has answered otherwise than before."""

    def __init__(
        self,
        *,
        changed: Callable[[Asking], None],
        may_ask: asyncio.Event,
        rng: random.Random,
        allowed: Allowed = is_public_or_cluster,
        first_pause: float = _FIRST_PAUSE,
        longest_pause: float = _LONGEST_PAUSE,
    ) -> None:
        self._changed, self._may_ask, self._rng = changed, may_ask, rng
        self._pauses = (first_pause, longest_pause)
        self._fetch = Fetch(allowed=allowed)
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._gates: dict[str, _Gate] = {}

    def want(self, asking: Asking) -> None:
        """Goes on asking, or begins: a gate that is another than before takes the place of that one."""
        known = self._gates.get(asking.uid)
        if known is not None and known.is_same(asking):
            known.asking = asking
            return
        self.forget(asking.uid)
        gate = self._gates[asking.uid] = _Gate(asking)
        gate.task = asyncio.create_task(self._ask_on(gate), name=f"gate of {asking.name}")

    def answers(self, uid: str) -> Mapping[str, GateView]:
        """Gives the last answer of the object's gate, by its key; nothing before it has answered."""
        gate = self._gates.get(uid)
        return {gate.view.key: gate.view} if gate is not None and gate.view is not None else {}

    def forget(self, uid: str) -> None:
        """Ends asking for an object, and drops what was answered."""
        gate = self._gates.pop(uid, None)
        if gate is not None:
            gate.end()

    async def close(self) -> None:
        """Ends everything under way."""
        running = {gate.task for gate in self._gates.values() if gate.task is not None}
        for uid in tuple(self._gates):
            self.forget(uid)
        if running:
            await asyncio.wait(running, timeout=5.0)
        await self._fetch.close()

    async def _ask_on(self, gate: _Gate) -> None:
        backoff = Backoff(self._rng, base=self._pauses[0], cap=self._pauses[1])
        while True:
            await self._may_ask.wait()
            async with self._free:
                view, at_least = await self._asked(gate.asking)
            if view != gate.view:
                gate.view = view
                self._changed(gate.asking)
            if view.verdict == "Open":
                return
            await asyncio.sleep(backoff.next(at_least=min(at_least, _LONGEST_ASKED_FOR)))

    async def _asked(self, asking: Asking) -> tuple[GateView, float]:
        """Asks once; gives for how long the gate wants to be left alone, too."""
        try:
            answer = await self._fetch.post(asking.url, orjson.dumps(asking.body), timeout=_TIMEOUT, limit=_HEAD)
        except CannotMeasure as error:
            return GateView(key=asking.key, verdict="Unreachable", message=str(error)), 0.0
        except Exception as error:
            logger.exception("asking the gate of %s/%s", asking.namespace, asking.name)
            message = f"internal error: {type(error).__name__}"
            return GateView(key=asking.key, verdict="Unreachable", message=message), 0.0
        if answer.status < 300:
            return GateView(key=asking.key, verdict="Open", message=f"answered {status_words(answer.status)}"), 0.0
        view = GateView(key=asking.key, verdict="Closed", message=_told(answer))
        return view, seconds_to_wait(answer.retry_after) or 0.0


def _told(answer: Answer) -> str:
    """Gives the status and, where the gate speaks to people, the beginning of what it says."""
    if answer.status < 400:
        return f"answered {status_words(answer.status)}: redirects are not followed"
    text = answer.head.decode(errors="replace") if answer.media in _WORDS else ""
    words = quoted("".join(each if each.isprintable() else " " for each in text), 200)
    return f"answered {status_words(answer.status)}" + (f": {words}" if words else "")
