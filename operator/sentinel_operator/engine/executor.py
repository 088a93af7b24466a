"""Carries a plan out: each step idempotent, each skipped where the world is already so."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import orjson

from sentinel_operator.core import names
from sentinel_operator.core.plan import Apply, Delete, Event, Manifest, ObjectRef, Plan, Scale
from sentinel_operator.engine.cache import Key, ObjectCache, key_of
from sentinel_operator.engine.errors import ApiError, NotFound, StepFailed, SubjectGone, Terminal
from sentinel_operator.engine.foreign import Foreign
from sentinel_operator.engine.intent import HASH_ANNOTATION, Path, differences, sealed
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import Resource, ResourceTable

logger = logging.getLogger(__name__)

_INVALID, _REFUSED_FOR = 422, 300.0


class Recorder(Protocol):
    """Takes events; never waits."""

    def record(self, regarding: Manifest, event: Event) -> None:
        """Queues an event about an object."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An intent that the API server called invalid; sent again once it, or the live object, is another."""

    digest: str
    live_version: str
    error: Terminal
    until: float


@dataclass(frozen=True, slots=True)
class Settled:
    """What an apply left behind that its intent does not account for, so that it is not taken for a hand edit."""

    digest: str
    remaining: frozenset[Path]


class Executor:
    """Executes plans about objects of one kind. Not bound to a pass: it only remembers what the API server makes of
    intents, which costs one superfluous apply after a restart and nothing else."""

    def __init__(
        self,
        api: KubeApi,
        *,
        resource: Resource,
        primary: ObjectCache,
        table: ResourceTable,
        caches: Mapping[Resource, ObjectCache],
        recorder: Recorder,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._clock = clock
        self.foreign = Foreign(api, resource=resource, primary=primary, table=table, now=now)
        self._api, self._resource, self._primary = api, resource, primary
        self._table, self._caches, self._recorder = table, caches, recorder
        self._settled: dict[Key, dict[ObjectRef, Settled]] = {}
        self._refused: dict[Key, Refused] = {}
        self._statuses: dict[Key, tuple[str, str]] = {}

    async def execute(self, raw: Manifest, plan: Plan) -> int:
        """Carries the whole plan out and counts the writes that were needed.

        Raises SubjectGone, StepFailed, ApiError (the status), NotLeader.
        """
        writes = await self._apply_all(raw, plan.apply)
        for scale in plan.scale:
            writes += await self._step(scale.ref, self._scale(scale))
        for delete in plan.delete:
            writes += await self._step(delete.ref, self._delete(delete))
        writes += await self._record_first(raw, plan) if plan.guarded else await self._record_last(raw, plan)
        return writes + (await self._expire(raw) if plan.expire else 0)

    async def _record_last(self, raw: Manifest, plan: Plan) -> int:
        return await self.foreign.carry_out(raw, plan) + await self.report(raw, plan)

    async def _record_first(self, raw: Manifest, plan: Plan) -> int:
        """A status that was written over the very object that was observed says what a read right before would say."""
        if not (written := await self.report(raw, plan)):
            return await self.foreign.carry_out(raw, plan)
        return written + await self.foreign.follow_up(self._primary.get(key_of(raw)) or raw, plan)

    async def report(self, raw: Manifest, plan: Plan) -> int:
        """Writes the status, if it changed, and records the events of the plan; nothing else of it."""
        writes = await self._write_status(raw, plan.status, guarded=plan.guarded) if plan.status is not None else 0
        for event in plan.events:
            self._recorder.record(raw, event)
        return writes

    def forget(self, key: Key) -> None:
        """Frees what is remembered about an object."""
        self._settled.pop(key, None)
        self._refused.pop(key, None)
        self._statuses.pop(key, None)

    async def _apply_all(self, raw: Manifest, steps: tuple[Apply, ...]) -> int:
        if not steps:
            self._settled.pop(key_of(raw), None)
            return 0
        settled = self._settled.setdefault(key_of(raw), {})
        writes, confirmed = 0, False
        for step in steps:
            ref = step.ref
            resource, cache = self._place(ref)
            live = cache.get(Key(ref.namespace, ref.name))
            intent, digest = sealed(step.manifest)
            if live is not None and _holds(intent, digest, live, settled.get(ref)):
                continue
            if not confirmed:
                await self._confirm(raw)
                confirmed = True
            answer = await self._apply(key_of(raw), step, resource, live)
            writes += 1
            remaining = differences(intent, answer)
            cache.put(answer)
            settled[ref] = Settled(digest, remaining)
            logger.info("applied %s", ref, extra=_revision(step.manifest))
            if remaining:
                logger.debug("%s is kept otherwise than applied at %s", ref, sorted(map(".".join, remaining)))
        wanted = {step.ref for step in steps}
        self._settled[key_of(raw)] = {ref: state for ref, state in settled.items() if ref in wanted and state.remaining}
        return writes

    async def _apply(self, key: Key, step: Apply, resource: Resource, live: Manifest | None) -> Manifest:
        """Sends one intent, unless that very one has just been called invalid: then it fails the same way again."""
        intent, digest = sealed(step.manifest)
        version = live["metadata"]["resourceVersion"] if live is not None else ""
        refused = self._refused.pop(key, None)
        if refused and (refused.digest, refused.live_version) == (digest, version) and self._clock() < refused.until:
            self._refused[key] = refused
            raise StepFailed(step.ref, refused.error) from refused.error
        try:
            return await self._api.apply(resource, intent, field_manager=step.field_manager, force=step.force)
        except Terminal as error:
            if error.code == _INVALID:
                self._refused[key] = Refused(digest, version, error, self._clock() + _REFUSED_FOR)
            raise StepFailed(step.ref, error) from error
        except ApiError as error:
            raise StepFailed(step.ref, error) from error

    async def _confirm(self, raw: Manifest) -> None:
        """Makes sure, before a child is made or healed, that the object really is there: kopf may have missed its end,
        and what then happens to its children is the garbage collector's doing, not to be undone."""
        key = key_of(raw)
        live = await self._api.find(self._resource, key.namespace, key.name)
        if live is not None:
            self._primary.put(live)
        if live is None or live["metadata"]["uid"] != raw["metadata"]["uid"]:
            raise SubjectGone(f"{self._resource.kind} {key.namespace}/{key.name} is gone")
        if live["metadata"].get("deletionTimestamp"):
            raise SubjectGone(f"{self._resource.kind} {key.namespace}/{key.name} is being deleted")

    async def _scale(self, step: Scale) -> int:
        resource, cache = self._place(step.ref)
        key = Key(step.ref.namespace, step.ref.name)
        live = cache.get(key)
        if live is not None and (live.get("spec") or {}).get("replicas") == step.replicas:
            return 0
        await self._api.scale(resource, step.ref, step.replicas)
        cache.assume_replicas(key, step.replicas)
        logger.info("scaled %s to %d", step.ref, step.replicas)
        return 1

    async def _delete(self, step: Delete) -> int:
        resource, cache = self._place(step.ref)
        key = Key(step.ref.namespace, step.ref.name)
        live = cache.get(key)
        uid = step.ref.uid or (live or {}).get("metadata", {}).get("uid", "")
        if live is None or live["metadata"]["uid"] != uid or live["metadata"].get("deletionTimestamp"):
            return 0
        ref = ObjectRef(step.ref.api_version, step.ref.kind, key.namespace, key.name, uid, step.ref.resource_version)
        answer = await self._api.delete(resource, ref, propagation=step.propagation)
        if answer is not None and answer["metadata"].get("deletionTimestamp"):
            cache.put(answer)
        else:
            cache.deleted(key, uid)
        logger.info("deleted %s", step.ref)
        return 1

    async def _expire(self, raw: Manifest) -> int:
        """Deletes the object as it was seen: one that has been changed since is looked at anew."""
        known = self._primary.get(key_of(raw)) or raw
        ref = ObjectRef.of(
            {**known, "apiVersion": self._resource.api_version, "kind": self._resource.kind}, pinned=True
        )
        pinned = replace(ref, resource_version=known["metadata"].get("resourceVersion", ""))
        await self._api.delete(self._resource, pinned, propagation="Background")
        logger.info("deleted %s, which has had its time", ref)
        return 1

    async def _step(self, ref: ObjectRef, step: Awaitable[int]) -> int:
        try:
            return await step
        except ApiError as error:
            raise StepFailed(ref, error) from error

    async def _write_status(self, raw: Manifest, status: Manifest, *, guarded: bool) -> int:
        key = key_of(raw)
        known = raw if guarded else self._primary.get(key) or raw
        live = known.get("status") or {}
        if status == live:
            return 0
        wanted = _digest(status)
        if self._statuses.get(key) == (wanted, _digest(live)):
            return 0
        metadata = {"name": key.name, "uid": raw["metadata"]["uid"]}
        if key.namespace:
            metadata["namespace"] = key.namespace
        if guarded:
            metadata["resourceVersion"] = raw["metadata"]["resourceVersion"]
        manifest = {
            "apiVersion": self._resource.api_version,
            "kind": self._resource.kind,
            "metadata": metadata,
            "status": status,
        }
        try:
            answer = await self._api.apply_status(self._resource, manifest)
        except NotFound as error:
            raise SubjectGone(str(error)) from error
        if (became := _digest(answer.get("status") or {})) != wanted:
            self._statuses[key] = (wanted, became)
        else:
            self._statuses.pop(key, None)
        self._primary.put(answer)
        return 1

    def _place(self, ref: ObjectRef) -> tuple[Resource, ObjectCache]:
        resource = self._table.find(ref)
        return resource, self._caches[resource]


def _holds(intent: Manifest, digest: str, live: Manifest, settled: Settled | None) -> bool:
    """Tells whether applying would change nothing. An object on its way out is left alone until it is gone."""
    metadata = live["metadata"]
    if metadata.get("deletionTimestamp"):
        return True
    if (metadata.get("annotations") or {}).get(HASH_ANNOTATION) != digest:
        return False
    different = differences(intent, live)
    return not different or (settled is not None and settled.digest == digest and different <= settled.remaining)


def _revision(manifest: Manifest) -> dict[str, str]:
    """Says in the log which revision an object is of, where it is of one."""
    revision = (manifest["metadata"].get("labels") or {}).get(names.REVISION)
    return {"revision": revision} if revision else {}


def _digest(value: Manifest) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
