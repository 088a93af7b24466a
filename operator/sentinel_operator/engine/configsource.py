"""The cluster's SentinelConfig, always valid: the last good one stays in force while a bad one is there."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.admission.sentinelconfig import read
from sentinel_operator.core.admission.verdict import Verdict
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import Key, ObjectCache

logger = logging.getLogger(__name__)

NAME = "default"


class ConfigSource:
    """Gives the settings in force. `changed` is called when they become different."""

    def __init__(self, cache: ObjectCache, *, changed: Callable[[], None]) -> None:
        self._cache, self._changed = cache, changed
        self._current = SentinelConfigSpec()

    def current(self) -> SentinelConfigSpec:
        """Gives the settings in force: the defaults where there is no SentinelConfig."""
        return self._current

    def seen(self, raw: Manifest) -> None:
        """Takes in what the informer reports."""
        if raw["metadata"]["name"] != NAME:
            return
        known = self._cache.get(Key("", NAME))
        spec, errors = read(known) if known is not None else (SentinelConfigSpec(), ())
        if spec is None:
            logger.warning("SentinelConfig %s: %s; the former settings stay", NAME, Verdict(errors=errors).message)
            return
        if spec != self._current:
            self._current = spec
            logger.info("SentinelConfig %s changed", NAME)
            self._changed()
