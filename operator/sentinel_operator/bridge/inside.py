"""Lists and watches the plans of one namespace, as a Role allows it, and remembers no more of them than is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sentinel_operator.core.bridge.marks import lean
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.kube import KubeApi, Page
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.transport import Query


class PlansInside:
    """What an informer asks, of one namespace."""

    def __init__(self, api: KubeApi, namespace: str) -> None:
        self._api, self._namespace = api, namespace

    async def pages(self, resource: Resource, /, *, namespace: str = "", query: Query = ()) -> AsyncIterator[Page]:
        """Lists in pages of one snapshot."""
        async for page in self._api.pages(resource, namespace=namespace or self._namespace, query=query):
            yield Page(tuple(lean(each) for each in page.items), page.resource_version, page.more)

    async def watch(
        self, resource: Resource, /, *, resource_version: str, seconds: int, idle: float, query: Query = ()
    ) -> AsyncIterator[Manifest]:
        """Yields events until the stream ends."""
        async for event in self._api.watch(
            resource,
            resource_version=resource_version,
            seconds=seconds,
            idle=idle,
            namespace=self._namespace,
            query=query,
        ):
            yield event if event["type"] == "BOOKMARK" else {**event, "object": lean(event["object"])}
