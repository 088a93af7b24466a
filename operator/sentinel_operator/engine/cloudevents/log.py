"""Logs every transition of a plan with all that the event of it says."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sentinel_operator.core.actionplan.cloudevent import event
from sentinel_operator.core.actionplan.history import newest, untold
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import Key

logger = logging.getLogger(__name__)


class TransitionLog:
    """Follows the cache of the ActionPlans (`seen` is its observer). Every replica sees every transition; the one that
    leads logs those that come after what it has seen first."""

    def __init__(self, *, leads: Callable[[], bool], cluster_id: Callable[[], str]) -> None:
        self._leads, self._cluster_id = leads, cluster_id
        self._seen: dict[Key, tuple[str, int]] = {}

    def seen(self, key: Key, raw: Manifest | None) -> None:
        """Takes in a plan as it is known from now on; None for one that is gone."""
        if raw is None:
            self._seen.pop(key, None)
            return
        uid, number = raw["metadata"]["uid"], newest(raw)
        before = self._seen.get(key, ("", 0))
        self._seen[key] = uid, number
        if before[0] != uid or number <= before[1] or not self._leads() or not logger.isEnabledFor(logging.INFO):
            return
        for each in untold(raw, before[1]):
            said = event(raw, each, cluster_id=self._cluster_id())
            logger.info("ActionPlan %s is %s", said["subject"], each["state"], extra={"cloudevent": said})
