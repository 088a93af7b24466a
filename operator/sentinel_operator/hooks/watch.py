"""kopf's watch streams of our kinds: what they report goes into the cache and the queue, and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import kopf
from kopf._cogs.structs import references

from sentinel_operator.api.kinds import Kind
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.controller import Controller

logger = logging.getLogger(__name__)

Insights = references.Insights
"""What kopf knows of the cluster: an argument of the public `kopf.operator`, but exported nowhere."""


def register(registry: kopf.OperatorRegistry, controllers: Iterable[Controller]) -> None:
    """Listens to the kinds of the controllers. Event handlers alone make kopf write nothing to any object."""
    for controller in controllers:
        _listen(registry, controller)


def _listen(registry: kopf.OperatorRegistry, controller: Controller) -> None:
    kind = controller.reconciler.kind

    @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=f"watch-{kind.plural}")
    async def seen(type: str | None, event: Mapping[str, Any], **_: Any) -> None:  # noqa: A002 - kopf passes it by name
        controller.seen(event["object"], deleted=type == "DELETED", initial=type is None)


async def notice(kinds: Collection[Kind], insights: Insights, served: Mapping[Kind, Manifest]) -> None:
    """Has kopf watch those of the kinds that are served, given with their APIResources.

    By itself kopf never sees a CRD that comes between its first discovery and its first list of CRDs, or one whose
    resource shows in the discovery only after the last event of the CRD. An operator that is applied together with its
    CRDs meets both.
    """
    await insights.ready_resources.wait()
    resources = {_resource(kind, listed) for kind, listed in served.items() if kind in kinds}
    async with insights.revised:
        for resource in resources - insights.watched_resources:
            logger.info("%s came later than kopf looked; it is watched now", resource)
        insights.watched_resources.update(resources)
        insights.revised.notify_all()


def _resource(kind: Kind, listed: Manifest) -> kopf.Resource:
    return kopf.Resource(
        group=kind.group,
        version=kind.version,
        plural=kind.plural,
        kind=kind.kind,
        singular=listed.get("singularName") or kind.kind.lower(),
        namespaced=listed["namespaced"],
        verbs=frozenset(listed["verbs"]),
    )
