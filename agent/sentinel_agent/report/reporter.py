"""The thread that tells the cluster: it looks each second, and writes when it is time."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from sentinel_agent.observed import Picture
from sentinel_agent.report import node as nodes
from sentinel_agent.report.api import Api, ApiError, NoAccess, Object
from sentinel_agent.report.pace import Gist, Pace, gist
from sentinel_agent.report.status import moment, status
from sentinel_agent.workers import Beat
from sentinel_operator.api.base import API_VERSION
from sentinel_operator.api.conditions import Condition
from sentinel_operator.api.nodetelemetry import GPU_HEALTHY, NodeTelemetryStatus

logger = logging.getLogger(__name__)

_PATH = f"/apis/{API_VERSION}/nodetelemetries"
_KIND = "NodeTelemetry"
_LOOK_EVERY = 1.0
_LEAST_BACKOFF, _LONGEST_BACKOFF = 2.0, 120.0


class Reporter:
    """Writes the node's NodeTelemetry, and its condition and taint where that is wanted."""

    def __init__(
        self,
        *,
        node: str,
        open_api: Callable[[], Api],
        picture: Callable[[], Picture],
        uid_of: Callable[[str, str], str],
        heartbeat: float,
        least_gap: float,
        node_condition: bool = False,
        taint: str = "",
        rng: random.Random | None = None,
    ) -> None:
        self._node, self._open_api, self._picture, self._uid_of = node, open_api, picture, uid_of
        self._node_condition, self._taint = node_condition, taint
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._pace = Pace(heartbeat=heartbeat, least_gap=least_gap, spread=self._rng.random())
        self._generation: int | None = None
        self._written: NodeTelemetryStatus | None = None
        self._busy: tuple[float, dict[str, float]] | None = None
        self._tainted: bool | None = None
        self._label: str | None = None
        self.writes = self.failures = 0
        self.error = ""
        """What went wrong last; empty where nothing did."""

    def work(self, beat: Beat) -> None:
        """Goes on until it is no longer wanted; while the API server is away it waits longer each time."""
        backoff = _LEAST_BACKOFF
        api: Api | None = None
        while beat.pause(_LOOK_EVERY):
            try:
                with beat.doing("API server"):
                    api = api or self._open_api()
                    self.report(api)
            except (ApiError, NoAccess) as error:
                self._failed(error)
                wait = max(backoff * self._rng.uniform(0.8, 1.2), getattr(error, "after", 0.0))
                backoff = min(_LONGEST_BACKOFF, 2 * backoff)
                beat.pause(wait)
            else:
                backoff = _LEAST_BACKOFF
        if api is not None:
            api.close()

    def report(self, api: Api) -> bool:
        """Writes where it is time, and tells whether it did."""
        picture, now = self._picture(), time.monotonic()
        current = self._status(picture, now)
        essence = gist(current)
        if not self._pace.due(now, essence):
            return False
        self._write(api, current)
        self._took(picture, now, current, essence)
        self._tell_node(api, picture, current)
        return True

    def _status(self, picture: Picture, now: float) -> NodeTelemetryStatus:
        return status(
            picture,
            now=time.time(),
            generation=self._generation or 1,
            means=self._means(picture, now),
            uid_of=self._uid_of,
            before=self._written,
        )

    def _means(self, picture: Picture, now: float) -> dict[str, float]:
        """Utilisation since the last write; right after one, as it is this second."""
        at, busy = self._busy or (now, {})
        means = {}
        for seen in picture.gpus:
            uuid = seen.reading.identity.uuid
            total = picture.totals.counters.get(("busy_seconds", (uuid,)))
            if total is not None and uuid in busy and now - at >= _LOOK_EVERY:
                means[uuid] = 100 * (total - busy[uuid]) / (now - at)
            elif "utilization" in seen.reading.gauges:
                means[uuid] = seen.reading.gauges["utilization"]
        return means

    def _write(self, api: Api, current: NodeTelemetryStatus) -> None:
        if self._generation is None:
            self._generation = self._create(api)
            current = current.model_copy(update={"observed_generation": self._generation})
        body = current.model_dump(mode="json", by_alias=True, exclude_none=True)
        try:
            api.apply(f"{_PATH}/{self._node}/status", {**self._head(), "status": body}, manager=nodes.MANAGER)
        except ApiError as error:
            if error.code == 404:
                self._generation = None  # somebody deleted it
            raise

    def _create(self, api: Api) -> int:
        """Makes the object the node's own, so that it goes with the node."""
        node = api.get(f"/api/v1/nodes/{self._node}")["metadata"]
        owner = {"apiVersion": "v1", "kind": "Node", "name": node["name"], "uid": node["uid"]}
        head = self._head()
        intent = {
            **head,
            "metadata": {**head["metadata"], "ownerReferences": [owner]},
            "spec": {"nodeName": self._node},
        }
        made = api.apply(f"{_PATH}/{self._node}", intent, manager=nodes.MANAGER)
        if self._written is None:
            self._written = NodeTelemetryStatus.model_validate(made.get("status") or {})
        return int(made["metadata"]["generation"])

    def _head(self) -> Object:
        return {"apiVersion": API_VERSION, "kind": _KIND, "metadata": {"name": self._node}}

    def _took(self, picture: Picture, now: float, current: NodeTelemetryStatus, essence: Gist) -> None:
        self._pace.written(now, essence, spread=self._rng.random())
        self._written = current
        counters = picture.totals.counters
        self._busy = (now, {key[1][0]: total for key, total in counters.items() if key[0] == "busy_seconds"})
        self.writes += 1
        self.error = ""

    def _tell_node(self, api: Api, picture: Picture, current: NodeTelemetryStatus) -> None:
        if self._node_condition:
            since = _transition(current.conditions or [])
            now = moment(time.time())
            intent = nodes.condition(self._node, picture.overall, since=since or now, now=now)
            api.apply(f"/api/v1/nodes/{self._node}/status", intent, manager=nodes.MANAGER)
            self._set_label(api, nodes.label(picture.overall, (each.health for each in current.devices)))
        if self._taint and picture.overall.failed != self._tainted:
            nodes.set_taint(api, self._node, effect=self._taint, failed=picture.overall.failed)
            self._tainted = picture.overall.failed

    def _set_label(self, api: Api, wanted: str) -> None:
        if wanted != self._label:
            nodes.set_label(api, self._node, wanted)
            self._label = wanted

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if str(error) != self.error:
            logger.warning("the cluster could not be told: %s", error)
        self.error = str(error)


def _transition(conditions: list[Condition]) -> str:
    return next((each.last_transition_time for each in conditions if each.type == GPU_HEALTHY), "")
