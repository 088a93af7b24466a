"""The loop of one kind: take a key, observe, plan, execute, and decide when to look again."""

from __future__ import annotations

import asyncio
import logging
import time
from enum import StrEnum
from typing import Any, Protocol

from sentinel_operator.core.budget.claim import Claimant
from sentinel_operator.core.plan import Manifest, ObjectRef, Plan
from sentinel_operator.core.reconciler import Reconciler
from sentinel_operator.engine.cache import Key, Owner, key_of
from sentinel_operator.engine.decider import Decider, Slots
from sentinel_operator.engine.errands import Errands
from sentinel_operator.engine.errors import ApiError, Conflict, NotLeader, Retry, StepFailed, SubjectGone, Terminal
from sentinel_operator.engine.executor import Executor
from sentinel_operator.engine.logging import pass_context
from sentinel_operator.engine.queue import Lane, WorkQueue
from sentinel_operator.engine.references import References
from sentinel_operator.engine.view import View

logger = logging.getLogger(__name__)

_CONFLICT_DELAY = 0.1
_FREE_REPEATS = 3
_LONGEST_REPEAT = 30.0


class Result(StrEnum):
    """How a pass ended; the label of the metrics."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    GONE = "gone"
    CONFLICT = "conflict"
    TERMINAL = "terminal"
    RETRY = "retry"
    TIMEOUT = "timeout"
    NOT_LEADER = "not_leader"
    ERROR = "error"


class PassMetrics(Protocol):
    """Where passes are reported."""

    def reconciled(self, controller: str, result: str, seconds: float) -> None:
        """Counts one pass."""


class Controller:
    """Reconciles every object of one kind. Nothing runs before `work` is called; any number of workers may."""

    def __init__(
        self,
        reconciler: Reconciler[Any],
        view: View,
        *,
        queue: WorkQueue[Key],
        executor: Executor,
        references: References,
        decider: Decider,
        metrics: PassMetrics,
        errands: Errands,
        slots: Slots,
        deadline: float = 60.0,
    ) -> None:
        self.reconciler, self.view, self.queue = reconciler, view, queue
        self._executor, self._references, self._decider = executor, references, decider
        self._metrics, self._deadline = metrics, deadline
        self._errands, self._slots = errands, slots
        self._repeats: dict[Key, int] = {}

    @property
    def name(self) -> str:
        """Names it in logs and metrics."""
        return self.view.resource.kind

    def seen(self, raw: Manifest, *, deleted: bool = False, initial: bool = False) -> None:
        """Takes in what a watch of the primary kind reported, and queues it. Never waits."""
        key = key_of(raw)
        known = self.view.primary.get(key)
        if deleted:
            if self.view.primary.drop(raw):
                self.queue.add(key)
            return
        if not self.view.primary.put(raw):
            return
        edited = known is None or known["metadata"].get("generation") != raw["metadata"].get("generation")
        self.queue.add(key, Lane.EDIT if edited and not initial else Lane.RESYNC)

    def child_changed(self, owner: Owner, *, after: float = 0.0) -> None:
        """Queues the owner of a child that became different, after so many seconds where that may wait."""
        self.queue.add_after(Key(owner.namespace, owner.name), after)

    def reference_changed(self, ref: ObjectRef) -> None:
        """Queues every object whose spec names an object that became different."""
        for key in self._references.changed(ref):
            self.queue.add(key)

    def references_lost(self) -> None:
        """Queues, behind the edits, every object whose spec names others: some may have become different unseen."""
        for key in self._references.all_changed():
            self.queue.add(key, Lane.RESYNC)

    def enqueue_all(self) -> None:
        """Queues everything, behind the edits."""
        for key in self.view.primary:
            self.queue.add(key, Lane.RESYNC)

    async def work(self, elected: asyncio.Event) -> None:
        """Takes keys while this process leads, until the queue is shut down."""
        while True:
            await elected.wait()
            key = await self.queue.get()
            if key is None:
                return
            try:
                if elected.is_set():
                    await self._pass(key)
                else:
                    self.queue.add(key)
            finally:
                self.queue.done(key)

    async def _pass(self, key: Key) -> None:
        started = time.perf_counter()
        result = Result.ERROR
        with pass_context(kind=self.name, namespace=key.namespace, name=key.name):
            try:
                result = await self._reconcile(key)
            except Exception:  # a fault of ours in one object must not stop the others
                logger.exception("the pass failed unexpectedly")
                self.queue.retry(key)
            finally:
                self._settle(key, result)
                self._metrics.reconciled(self.name, result.value, time.perf_counter() - started)

    async def _reconcile(self, key: Key) -> Result:
        raw = self.view.primary.get(key)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            self._forget(key)
            return Result.GONE
        try:
            async with asyncio.timeout(self._deadline):
                return await self._observe_plan_execute(key, raw)
        except TimeoutError:
            logger.warning("the pass took longer than %g s and was given up", self._deadline)
            self.queue.retry(key)
            return Result.TIMEOUT
        except SubjectGone as error:
            logger.info("%s", error)
            self._gone(key, raw["metadata"]["uid"])
            return Result.GONE
        except NotLeader as error:
            logger.warning("%s", error)
            self.queue.add_after(key, 1.0)
            return Result.NOT_LEADER
        except StepFailed as error:
            return self._failed(key, error.cause, str(error))
        except ApiError as error:
            return self._failed(key, error, str(error))

    async def _observe_plan_execute(self, key: Key, raw: Manifest) -> Result:
        async with self._decider.decided(key, raw) as (observed, plan):
            writes = await self._execute(key, raw, observed, plan)
        self.queue.forget(key)
        self._errands.run(key, raw["metadata"]["uid"], plan)
        self._look_again(key, plan, writes)
        return Result.CHANGED if writes else Result.UNCHANGED

    async def _execute(self, key: Key, raw: Manifest, observed: Any, plan: Plan) -> int:
        try:
            return await self._executor.execute(raw, plan)
        except StepFailed as error:
            told = self.reconciler.on_error(observed, error.failure)
            if told is not None:
                await self._report(raw, told)
                if told.requeue_after is not None:
                    self.queue.add_after(key, told.requeue_after)
            raise

    def _settle(self, key: Key, result: Result) -> None:
        """Gives back what the pass was granted and has not used."""
        who = Claimant(self.name, *key)
        if result in {Result.UNCHANGED, Result.CHANGED, Result.GONE}:
            self._slots.passed(who)
        else:
            self._slots.failed(who, certain=result in {Result.CONFLICT, Result.TERMINAL, Result.NOT_LEADER})

    async def _report(self, raw: Manifest, told: Plan) -> None:
        """Tells the user what went wrong; the failure itself is what counts for the queue."""
        try:
            await self._executor.report(raw, told)
        except ApiError as error:
            logger.warning("the failure could not be told in the status: %s", error)

    def _look_again(self, key: Key, plan: Plan, writes: int) -> None:
        """After a write there is a pass that sees its outcome, unless the plan says when to look: own writes are in the
        cache already and so cause no event. One that writes every time settles to ever longer intervals instead of
        spinning."""
        if not writes or plan.paced:
            self._repeats.pop(key, None)
            if plan.requeue_after is not None:
                self.queue.add_after(key, plan.requeue_after)
            return
        repeats = self._repeats[key] = self._repeats.get(key, 0) + 1
        pause = 0.0 if repeats <= _FREE_REPEATS else min(_LONGEST_REPEAT, 0.1 * 2.0 ** (repeats - _FREE_REPEATS))
        self.queue.add_after(key, pause if plan.requeue_after is None else min(pause, plan.requeue_after))

    def _failed(self, key: Key, error: ApiError, message: str) -> Result:
        match error:
            case Conflict():
                logger.info("conflict: %s", message)
                self.queue.retry(key, base=_CONFLICT_DELAY)
                return Result.CONFLICT
            case Terminal(code=403):  # a quota or a Role may be changed without a change of the spec
                logger.warning("forbidden: %s", message)
                self.queue.retry(key)
                return Result.TERMINAL
            case Terminal():
                logger.warning("refused: %s", message)
                self.queue.forget(key)
                return Result.TERMINAL
            case _:
                delay = self.queue.retry(key, at_least=(error.after if isinstance(error, Retry) else None) or 0.0)
                logger.warning("trying again in %.1f s: %s", delay, message)
                return Result.RETRY

    def _gone(self, key: Key, uid: str) -> None:
        """Takes a ghost out, unless a namesake has come in meanwhile: that one is looked at next."""
        known = self.view.primary.get(key)
        self._forget(key)
        if known is not None and known["metadata"]["uid"] == uid:
            self.view.primary.evict(key)
        elif known is not None:
            self.queue.add(key)

    def _forget(self, key: Key) -> None:
        self.queue.forget(key)
        self._executor.forget(key)
        self._references.forget(key)
        self._repeats.pop(key, None)
        self._errands.drop(key)
