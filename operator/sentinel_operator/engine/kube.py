"""The API server's verbs on raw objects: each says its field manager and content type, and maps every failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import orjson

from sentinel_operator.core.plan import SCALE_MANAGER, STATUS_MANAGER, WORKLOAD_MANAGER, Manifest, ObjectRef
from sentinel_operator.engine.errors import Conflict, NotFound, Retry, api_error
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.transport import JSON, Fence, Query, Request, Term, Transport

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PODS = Resource("v1", "Pod", "pods")

Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class Page:
    """One part of a list."""

    items: tuple[Manifest, ...]
    resource_version: str
    more: str


class KubeApi:
    """Raw dicts in, raw dicts out. Raises `ApiError` or `NotLeader`, and nothing else of the outside's faults.

    Nothing is retried in here: the caller's queue knows how long to wait.
    """

    def __init__(self, transport: Transport, *, fence: Fence | None = None) -> None:
        self._transport, self._fence = transport, fence

    def fenced(self, fence: Fence) -> Self:
        """Gives the same client, whose writes are only sent while `fence` allows them."""
        return type(self)(self._transport, fence=fence)

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest:
        """Reads one object as it is now."""
        return await self._read("get", resource, resource.object(namespace, name))

    async def find(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """Reads one object as it is now; None where there is none."""
        try:
            return await self.get(resource, namespace, name)
        except NotFound:
            return None

    async def read_path(self, path: str) -> Manifest:
        """Reads a path that is no resource: discovery, the version."""
        return await self._transport.send(Request(method="GET", path=path, verb="get", kind=""))

    async def pages(self, resource: Resource, *, namespace: str = "", query: Query = ()) -> AsyncIterator[Page]:
        """Lists in pages, all of one snapshot; raises Gone when a continue token ran out: begin again."""
        more = ""
        while True:
            asked = (("limit", str(self._transport.limits.page)), *query, *((("continue", more),) if more else ()))
            body = await self._read("list", resource, resource.collection(namespace), query=asked)
            metadata = body.get("metadata") or {}
            more = metadata.get("continue") or ""
            items = tuple(_typed(item, resource) for item in body.get("items") or ())
            yield Page(items, str(metadata.get("resourceVersion", "")), more)
            if not more:
                return

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        query: Query = (),
        kept: Callable[[Manifest], Manifest] | None = None,
    ) -> tuple[list[Manifest], str]:
        """Lists everything, with the resourceVersion of the snapshot; items bear their apiVersion and kind. Of each
        page only what is `kept` of its items stays in memory."""
        items: list[Manifest] = []
        version = ""
        async for page in self.pages(resource, namespace=namespace, query=query):
            items.extend(page.items if kept is None else map(kept, page.items))
            version = page.resource_version
        return items, version

    async def snapshot(self, resource: Resource) -> str:
        """Gives the resourceVersion of the collection as it is now, to watch from; reads one object's metadata."""
        request = Request(
            method="GET",
            path=resource.collection(),
            verb="list",
            kind=resource.kind,
            query=(("limit", "1"),),
            accept=_METADATA_LIST,
        )
        return str((await self._transport.send(request))["metadata"]["resourceVersion"])

    async def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        seconds: int,
        idle: float,
        namespace: str = "",
        query: Query = (),
        metadata_only: bool = False,
    ) -> AsyncIterator[Manifest]:
        """Yields watch events, bookmarks among them, until the server ends the stream; an ERROR event is raised."""
        asked = (
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", resource_version),
            ("timeoutSeconds", str(seconds)),
            *query,
        )
        request = Request(
            method="GET",
            path=resource.collection(namespace),
            verb="watch",
            kind=resource.kind,
            query=asked,
            accept=_METADATA if metadata_only else JSON,
        )
        async for line in self._transport.stream(request, idle=idle):
            try:
                event: Manifest = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise Retry(f"watch of {resource.plural}: {error}") from error
            if event["type"] == "ERROR":
                status = event["object"]
                raise api_error(int(status.get("code") or 0), status, None)
            yield event

    async def apply(
        self, resource: Resource, manifest: Manifest, *, field_manager: str = WORKLOAD_MANAGER, force: bool = True
    ) -> Manifest:
        """Applies the whole intent of this field manager."""
        return await self._apply(resource, manifest, field_manager, force=force)

    async def apply_status(
        self, resource: Resource, manifest: Manifest, *, field_manager: str = STATUS_MANAGER
    ) -> Manifest:
        """Applies `manifest["status"]` whole; of the rest only the name and the namespace are looked at."""
        return await self._apply(resource, manifest, field_manager, force=True, subresource="status")

    async def scale(self, resource: Resource, ref: ObjectRef, replicas: int) -> Manifest:
        """Sets the replicas through the scale subresource; gives the Scale."""
        body: Manifest = {"spec": {"replicas": replicas}}
        if ref.resource_version:
            body["metadata"] = {"resourceVersion": ref.resource_version}
        path = resource.object(ref.namespace, ref.name, "scale")
        return await self._patch(resource, path, body, content_type=_MERGE, field_manager=SCALE_MANAGER)

    async def create(
        self, resource: Resource, manifest: Manifest, *, field_manager: str = WORKLOAD_MANAGER
    ) -> Manifest:
        """Creates; raises Conflict where it exists."""
        path = resource.collection(manifest["metadata"].get("namespace", ""))
        return await self._write(resource, "POST", path, manifest, query=(("fieldManager", field_manager),))

    async def replace(
        self, resource: Resource, manifest: Manifest, *, field_manager: str = WORKLOAD_MANAGER
    ) -> Manifest:
        """Replaces the whole object; with a resourceVersion in it, only that version."""
        metadata = manifest["metadata"]
        path = resource.object(metadata.get("namespace", ""), metadata["name"])
        return await self._write(resource, "PUT", path, manifest, query=(("fieldManager", field_manager),))

    async def patch(
        self,
        resource: Resource,
        ref: ObjectRef,
        body: Manifest,
        *,
        strategic: bool = False,
        subresource: str = "",
        dry_run: bool = False,
        field_manager: str = WORKLOAD_MANAGER,
        term: Term | None = None,
    ) -> Manifest:
        """Merges `body` in; strategically (built-in kinds only) where lists are to be matched by their keys. A dry run
        goes through all of admission, and changes nothing. Raises TooLate where its term is over."""
        path = resource.object(ref.namespace, ref.name, subresource)
        query = (("fieldManager", field_manager), *((("dryRun", "All"),) if dry_run else ()))
        content_type = _STRATEGIC if strategic else _MERGE
        return await self._write(resource, "PATCH", path, body, query=query, content_type=content_type, term=term)

    async def delete(
        self, resource: Resource, ref: ObjectRef, *, propagation: Propagation = "Background"
    ) -> Manifest | None:
        """Deletes the object that bears `ref.uid`; None where it, or that incarnation of it, is not there any more.

        Gives the object where it lingers (finalizers, foreground propagation), else the server's Status.
        """
        preconditions = {"uid": ref.uid, "resourceVersion": ref.resource_version}
        body: Manifest = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": {key: value for key, value in preconditions.items() if value},
        }
        try:
            return await self._write(resource, "DELETE", resource.object(ref.namespace, ref.name), body)
        except NotFound:
            return None
        except Conflict:
            if ref.uid and not ref.resource_version:
                return None
            raise

    async def create_under(
        self, resource: Resource, ref: ObjectRef, subresource: str, body: Manifest, *, term: Term | None = None
    ) -> Manifest:
        """Creates at a subresource: an eviction, a token."""
        path = resource.object(ref.namespace, ref.name, subresource)
        return await self._write(resource, "POST", path, body, term=term)

    async def evict(self, namespace: str, name: str, *, uid: str = "", term: Term | None = None) -> None:
        """Evicts a pod, and no later namesake of it, under its disruption budgets; raises Retry where one forbids it
        now (429), TooLate where its term is over."""
        body: Manifest = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
        }
        if uid:
            body["deleteOptions"] = {"preconditions": {"uid": uid}}
        await self.create_under(_PODS, ObjectRef("v1", "Pod", namespace, name), "eviction", body, term=term)

    async def subject_access_review(self, spec: Mapping[str, Any]) -> bool:
        """Tells whether a user may do something; `spec` is that of authorization.k8s.io/v1 SubjectAccessReview."""
        kind = "SubjectAccessReview"
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": dict(spec)}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        answer = await self._transport.send(Request(method="POST", path=path, verb="create", kind=kind, body=body))
        return bool((answer.get("status") or {}).get("allowed"))

    async def own_user(self) -> str:
        """Gives the name of the user that the API server takes this client for."""
        kind = "SelfSubjectReview"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": kind}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        answer = await self._transport.send(Request(method="POST", path=path, verb="create", kind=kind, body=body))
        return str(((answer.get("status") or {}).get("userInfo") or {}).get("username") or "")

    async def _apply(
        self, resource: Resource, manifest: Manifest, field_manager: str, *, force: bool, subresource: str = ""
    ) -> Manifest:
        metadata = manifest["metadata"]
        path = resource.object(metadata.get("namespace", ""), metadata["name"], subresource)
        query = (("fieldManager", field_manager), ("force", "true" if force else "false"))
        request = Request(
            method="PATCH", path=path, verb="apply", kind=resource.kind, query=query, body=manifest, content_type=_APPLY
        )
        return await self._transport.send(replace(request, fence=self._fence))

    async def _patch(
        self, resource: Resource, path: str, body: Manifest, *, content_type: str, field_manager: str
    ) -> Manifest:
        query = (("fieldManager", field_manager),)
        return await self._write(resource, "PATCH", path, body, query=query, content_type=content_type)

    async def _write(
        self,
        resource: Resource,
        method: str,
        path: str,
        body: Manifest,
        *,
        query: Query = (),
        content_type: str = JSON,
        term: Term | None = None,
    ) -> Manifest:
        verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[method]
        return await self._transport.send(
            Request(
                method=method,
                path=path,
                verb=verb,
                kind=resource.kind,
                query=query,
                body=body,
                content_type=content_type,
                fence=self._fence,
                term=term,
            )
        )

    async def _read(self, verb: str, resource: Resource, path: str, *, query: Query = ()) -> Manifest:
        return await self._transport.send(Request(method="GET", path=path, verb=verb, kind=resource.kind, query=query))


def _typed(item: Manifest, resource: Resource) -> Manifest:
    """Adds what the API server leaves out of the items of a list."""
    item.setdefault("apiVersion", resource.api_version)
    item.setdefault("kind", resource.kind)
    return item
