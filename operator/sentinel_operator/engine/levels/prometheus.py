"""Service levels by the administrator's Prometheus."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from sentinel_operator.api.fields import seconds
from sentinel_operator.api.servicelevels import LevelSource, ServiceLevels
from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.core.levels.measured import Level, Measured, plausible, unknown
from sentinel_operator.core.levels.queries import over_which, query_for
from sentinel_operator.core.targets import TargetKey
from sentinel_operator.engine.measure.fault import CannotMeasure
from sentinel_operator.engine.measure.fetch import Fetch, anywhere
from sentinel_operator.engine.measure.prometheus import instant
from sentinel_operator.engine.measure.secrets import Discreet, SecretReader, authorization

_REST = 5.0
"""Seconds for which one that let us wait is not asked again: all plans would wait for it."""
_SLOW = 0.8


class PrometheusLevels:
    """Owns its connections until closed. Whoever may write the SentinelConfig may have every address asked."""

    def __init__(
        self,
        *,
        read_secret: SecretReader,
        namespace: Callable[[], str],
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._read, self._namespace, self._clock, self._now = read_secret, namespace, clock, now
        self._fetch = Fetch(allowed=anywhere)
        self._silent: tuple[str, float, str] = ("", float("-inf"), "")
        """Which one, until when, and what came of the last question."""

    async def level(self, level: Level, target: TargetKey, settings: ServiceLevels) -> Measured:
        """Gives what the query of a level gives for a target."""
        source, query = settings.prometheus, query_for(level, target, settings)
        if source is None or query is None:
            return unknown(f"there is no query for a {target.kind}")
        address, until, why = self._silent
        if address == source.address and self._clock() < until:
            return unknown(why)
        asked = self._clock()
        try:
            value = await self._ask(source, query)
        except CannotMeasure as error:
            said = f"{source.address}: {error}"
            if self._clock() - asked >= _SLOW * seconds(source.timeout):
                self._silent = (source.address, self._clock() + _REST, said)
            return unknown(said)
        if math.isnan(value):
            return unknown(f"{source.address} has no data for {over_which(level, settings)}, or of too few requests")
        if not plausible(level, value):
            return unknown(f"{source.address} gives {value:g}, which cannot be a {level}")
        told = f"by {source.address} over {over_which(level, settings)} until {rfc3339(self._now())}"
        return Measured(value=value, told=told)

    async def close(self) -> None:
        """Ends all connections."""
        await self._fetch.close()

    async def _ask(self, source: LevelSource, query: str) -> float:
        read = Discreet(self._read)
        # Its own deadline comes a little before that of the whole measurement, so that what is told says who was slow.
        timeout = 0.9 * seconds(source.timeout)
        try:
            host = urlsplit(source.address).netloc
            headers = await authorization(source.authorization, namespace=self._namespace(), host=host, read=read)
            return await instant(source.address, query, timeout=timeout, headers=headers, fetch=self._fetch)
        except CannotMeasure as error:
            raise CannotMeasure(read.without(str(error))) from None
