"""What a pass does to objects that somebody else declares: patches and evictions, each only while it still may."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from sentinel_operator.core.plan import ACTION_MANAGER, Evict, Manifest, ObjectRef, Patch, Plan, Rehearsal
from sentinel_operator.engine.cache import ObjectCache, key_of
from sentinel_operator.engine.errors import (
    ApiError,
    Conflict,
    NotFound,
    Retry,
    StepFailed,
    SubjectGone,
    Terminal,
    TooLate,
)
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import Resource, ResourceTable
from sentinel_operator.engine.transport import Term

logger = logging.getLogger(__name__)


class Foreign:
    """Of the objects of one kind (`resource`), whose plans these are."""

    def __init__(
        self,
        api: KubeApi,
        *,
        resource: Resource,
        primary: ObjectCache,
        table: ResourceTable,
        now: Callable[[], datetime],
    ) -> None:
        self._api, self._resource, self._primary, self._table, self._now = api, resource, primary, table, now

    async def carry_out(self, raw: Manifest, plan: Plan) -> int:
        """Sends what the plan asks for, and counts it. Raises StepFailed, SubjectGone, Conflict, NotLeader."""
        sent = 0
        for evict in plan.evict:
            sent += await self._step(raw, evict, guarded=plan.guarded)
        for patch in plan.patch:
            sent += await self._step(raw, patch, guarded=plan.guarded)
        return sent

    async def follow_up(self, written: Manifest, plan: Plan) -> int:
        """Sends what the plan asks for right after its status was written, and counts it. That write vouches for the
        first step; what does not succeed is the next pass's, which knows that status. Raises NotLeader."""
        sent = 0
        steps: tuple[Evict | Patch, ...] = (*plan.evict, *plan.patch)
        for index, step in enumerate(steps):
            try:
                sent += await self._step(written, step, guarded=index > 0)
            except (StepFailed, SubjectGone, ApiError) as error:
                logger.info("left to the next pass: %s", error)
                break
        return sent

    async def rehearse(self, rehearsals: Sequence[Rehearsal]) -> dict[str, str]:
        """Gives what the API server has against each decision's patches, empty where it would take them. Raises where
        it does not say: an object that has changed since, or is gone, is to be looked at again."""
        said: dict[str, str] = {}
        for each in rehearsals:
            try:
                await self._send(each.patch, dry_run=True)
            except Terminal as error:
                said[each.decision] = said.get(each.decision) or error.message or error.reason
            except ApiError as error:
                raise StepFailed(each.patch.ref, error) from error
            else:
                said.setdefault(each.decision, "")
        return said

    async def unmoved(self, raw: Manifest) -> None:
        """Makes sure that the object still is the one that was observed; raises Conflict, or SubjectGone."""
        key = key_of(raw)
        live = await self._api.find(self._resource, key.namespace, key.name)
        if live is not None:
            self._primary.put(live)
        if live is None or live["metadata"]["uid"] != raw["metadata"]["uid"]:
            raise SubjectGone(f"{self._resource.kind} {key.namespace}/{key.name} is gone")
        if live["metadata"]["resourceVersion"] != raw["metadata"]["resourceVersion"]:
            raise Conflict(
                f"{self._resource.kind} {key.namespace}/{key.name} has changed since it was looked at", code=409
            )

    async def settle(self, raw: Manifest) -> None:
        """Makes sure that what was written last over this version of the object, and was not answered, is there or will
        never be. Raises Conflict where it is there, or the object is gone or another.

        A read alone does not tell: such a write may still be under way. Another one over the same version does, for
        only one of the two can succeed.
        """
        await self.unmoved(raw)
        key, version = key_of(raw), raw["metadata"]["resourceVersion"]
        metadata = {"name": key.name, "uid": raw["metadata"]["uid"], "resourceVersion": version}
        if key.namespace:
            metadata["namespace"] = key.namespace
        status = {**(raw.get("status") or {}), "message": f"what was written over version {version} was not answered"}
        kind = {"apiVersion": self._resource.api_version, "kind": self._resource.kind}
        self._primary.put(
            await self._api.apply_status(self._resource, {**kind, "metadata": metadata, "status": status})
        )

    async def _step(self, raw: Manifest, step: Evict | Patch, *, guarded: bool) -> int:
        if guarded:
            await self.unmoved(raw)
        try:
            return await (self._evict(step) if isinstance(step, Evict) else self._patch(step))
        except TooLate:
            logger.info("%s is left as it is: the time was over", step.ref)
            return 0
        except ApiError as error:
            raise StepFailed(step.ref, error) from error

    async def _patch(self, step: Patch) -> int:
        await self._send(step, dry_run=False)
        logger.info("patched %s", step.ref)
        return 1

    async def _send(self, step: Patch, *, dry_run: bool) -> None:
        ref = step.ref
        metadata = {**step.body.get("metadata", {}), "uid": ref.uid, "resourceVersion": ref.resource_version}
        await self._api.patch(
            self._table.find(ref),
            ref,
            {**step.body, "metadata": metadata},
            subresource=step.subresource,
            dry_run=dry_run,
            field_manager=ACTION_MANAGER,
            term=None if dry_run else self._term(step),
        )

    def _term(self, step: Evict | Patch) -> Term | None:
        """The clock is looked at last: however long a request has to wait for its turn, none is sent too late."""
        if (last := step.not_after) is None:
            return None

        def left() -> float:
            return (last - self._now()).total_seconds()

        return left

    async def _evict(self, step: Evict) -> int:
        """What a budget forbids now is no failure: the pass that comes next asks again."""
        ref: ObjectRef = step.ref
        try:
            await self._api.evict(ref.namespace, ref.name, uid=ref.uid, term=self._term(step))
        except (NotFound, Conflict):
            return 0
        except Retry as error:
            logger.info("%s stays for now: %s", ref, error)
            return 0
        logger.info("evicted %s", ref)
        return 1
