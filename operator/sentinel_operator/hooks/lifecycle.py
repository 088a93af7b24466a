"""How kopf is run: as a shell for watches, with everything that keeps state on objects turned off."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

import kopf
from typing_extensions import override

from sentinel_operator.api.base import GROUP
from sentinel_operator.engine.access import Access
from sentinel_operator.hooks.watch import Insights

_EVENT_TASKS_LINGER = 0.2


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no copy of any object: there are no change handlers to compare for."""

    @override
    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> Any:
        return {}

    @override
    def fetch(self, *, body: kopf.Body) -> None:
        return None

    @override
    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: Any) -> None:
        return None


class NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers: event handlers have none."""

    @override
    def fetch(self, *, key: str, body: kopf.Body) -> None:
        return None

    @override
    def store(self, *, key: str, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    @override
    def purge(self, *, key: str, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    @override
    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        return None

    @override
    def clear(self, *, essence: Any) -> Any:
        return essence


class Memo:
    """What kopf would copy for every object; it stays the same one."""

    def __copy__(self) -> Memo:
        return self


def settings(rng: random.Random) -> kopf.OperatorSettings:
    """Gives kopf's settings. `queueing.worker_limit` stays unset: it turns into limit / idle_timeout of throughput."""
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True
    chosen.posting.enabled = False
    chosen.scanning.disabled = False
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 10
    chosen.watching.server_timeout = 300 + rng.randint(0, 60)
    chosen.watching.chunk_size = 500
    chosen.queueing.idle_timeout = _EVENT_TASKS_LINGER
    chosen.persistence.diffbase_storage = NoDiffBase()
    chosen.persistence.progress_storage = NoProgress()
    chosen.persistence.finalizer = f"{GROUP}/finalizer"
    return chosen


def login(registry: kopf.OperatorRegistry, access: Access) -> None:
    """Makes kopf use the same identity as the rest."""

    @kopf.on.login(registry=registry, id="login", errors=kopf.ErrorsMode.PERMANENT)
    async def log_in(**_: Any) -> kopf.ConnectionInfo:
        return await access.for_kopf()


async def run(
    registry: kopf.OperatorRegistry,
    chosen: kopf.OperatorSettings,
    insights: Insights,
    *,
    stop: Any,
    ready: Any,
    namespaces: Collection[str] = (),
) -> None:
    """Runs kopf until `stop` is set or it fails; `ready` is set once it has started."""
    await kopf.operator(
        registry=registry,
        settings=chosen,
        insights=insights,
        memo=Memo(),
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
        ready_flag=ready,
    )
