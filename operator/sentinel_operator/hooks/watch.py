"""kopf's watch streams of our kinds: what they report goes into the cache and the queue, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import kopf

from sentinel_operator.engine.controller import Controller


def register(registry: kopf.OperatorRegistry, controllers: Iterable[Controller]) -> None:
    """Listens to the kinds of the controllers. Event handlers alone make kopf write nothing to any object."""
    for controller in controllers:
        _listen(registry, controller)


def _listen(registry: kopf.OperatorRegistry, controller: Controller) -> None:
    kind = controller.reconciler.kind

    @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=f"watch-{kind.plural}")
    async def seen(type: str | None, event: Mapping[str, Any], **_: Any) -> None:  # noqa: A002 - kopf passes it by name
        controller.seen(event["object"], deleted=type == "DELETED", initial=type is None)
