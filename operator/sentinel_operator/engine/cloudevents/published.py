"""Tells each pass over a plan how far the sink is with it, beside what the desk tells."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from sentinel_operator.core.actionplan.history import Told
from sentinel_operator.core.actionplan.surroundings import NOWHERE
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.decider import Around, Decided, Think


class Published:
    """Stands around the desk: `told` says of a plan, by its uid, how far the sink is."""

    def __init__(self, desk: Around, told: Callable[[str], Told | None]) -> None:
        self._desk, self._told = desk, told

    @asynccontextmanager
    async def decided(self, raw: Manifest, outside: Outside, think: Think) -> AsyncIterator[Decided]:
        """Gives what the desk gives."""

        def think_further(given: Outside) -> Decided:
            told = self._told(raw["metadata"]["uid"])
            return think(given if told is None else replace(given, plan=replace(given.plan or NOWHERE, told=told)))

        async with self._desk.decided(raw, outside, think_further) as decided:
            yield decided
