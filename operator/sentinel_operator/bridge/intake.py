"""Makes ActionPlans of what a brain proposes, each planId once; what cannot be one is answered at once, and why."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from sentinel_operator.api.kinds import ACTION_PLAN, SENTRY_MODEL
from sentinel_operator.bridge.pace import Pace
from sentinel_operator.core.bridge.marks import CONTENT, name_of
from sentinel_operator.core.bridge.outcome import Outcome, refusal
from sentinel_operator.core.bridge.rate import Rate
from sentinel_operator.core.bridge.target import Sought
from sentinel_operator.core.bridge.translate import Proposal, Terms, plan_id_of, read, write
from sentinel_operator.core.bridge.words import Untranslatable
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import Key, ObjectCache
from sentinel_operator.engine.errors import Conflict, NotFound, NotLeader, Retry, Terminal
from sentinel_operator.engine.resources import Resource

logger = logging.getLogger(__name__)

FIELD_MANAGER = "sentinel-bridge"
PLANS = Resource.of_kind(ACTION_PLAN)
MODELS = Resource.of_kind(SENTRY_MODEL)
DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
STATEFUL_SETS = Resource("apps/v1", "StatefulSet", "statefulsets")
_WAITING = 1000
_AT_ONCE = 8
_BY_KIND = {each.kind: each for each in (MODELS, DEPLOYMENTS, STATEFUL_SETS)}


class PlansApi(Protocol):
    """What is needed of the API client; its writes are fenced."""

    async def get(self, resource: Resource, namespace: str, name: str, /) -> Manifest:
        """Reads one object."""

    async def find(self, resource: Resource, namespace: str, name: str, /) -> Manifest | None:
        """Reads one object; None where there is none."""

    async def create(self, resource: Resource, manifest: Manifest, /, *, field_manager: str = ...) -> Manifest:
        """Creates; raises Conflict where it exists."""


class IntakeMetrics(Protocol):
    """Where plans are counted."""

    def plan_received(self, result: str) -> None:
        """Counts a plan by what became of it."""


@dataclass(slots=True)
class Lobby:
    """Plans that were taken in and are no objects yet. It outlasts connections."""

    rate: Rate
    waiting: asyncio.Queue[Proposal] = field(default_factory=lambda: asyncio.Queue(_WAITING))
    contents: dict[str, str] = field(default_factory=dict)
    """What each of them says, by planId."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where plans come in: what is known, whom to tell of what is turned away, and where the others wait."""

    known: ObjectCache
    tell: Callable[[Outcome], None]
    lobby: Lobby


class Intake:
    """Takes plans one after the other and makes their objects, several at once. What waits is bounded."""

    def __init__(
        self,
        api: PlansApi,
        terms: Terms,
        door: Door,
        *,
        metrics: IntakeMetrics,
        rng: random.Random,
        pace: Pace,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api, self._terms, self._door = api, terms, door
        self._metrics, self._rng, self._pace, self._now = metrics, rng, pace, now
        self._lobby = door.lobby

    def take(self, said: object) -> None:
        """Takes in whatever a brain says; never raises, never waits."""
        plan_id = plan_id_of(said)
        try:
            proposal = read(said, now=self._now())
        except Untranslatable as error:
            self._turn_away("untranslatable", plan_id, str(error), state="Untranslatable")
            return
        except Exception:
            logger.exception("reading plan %s", plan_id)
            self._turn_away("untranslatable", plan_id, "internal error", state="Untranslatable")
            return
        known = self._content_of(proposal.plan_id)
        if known is not None:
            self._again(proposal, known)
        elif self._lobby.waiting.full() or not self._lobby.rate.take(self._pace.clock()):
            said_why = "more plans than are taken in a minute: propose it again later"
            self._turn_away("flood", proposal.plan_id, said_why, state="RateLimited")
        else:
            self._lobby.contents[proposal.plan_id] = proposal.content
            self._lobby.waiting.put_nowait(proposal)

    async def run(self) -> None:
        """Makes objects until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            proposal = await self._lobby.waiting.get()
            try:
                await self._until_made(proposal)
                self._lobby.contents.pop(proposal.plan_id, None)
            except asyncio.CancelledError:
                if not self._lobby.waiting.full():
                    self._lobby.waiting.put_nowait(proposal)  # for whoever works next
                raise
            finally:
                self._lobby.waiting.task_done()

    async def _until_made(self, proposal: Proposal) -> None:
        """Tries until the API server has answered: while it does not, this process soon leads no more."""
        backoff = self._pace.backoff(self._rng)
        while True:
            try:
                await self._make(proposal)
            except Untranslatable as error:
                self._turn_away("untranslatable", proposal.plan_id, str(error), state="Untranslatable")
            except (Terminal, NotFound) as error:
                self._turn_away("refused", proposal.plan_id, f"the API server refuses it: {error}", state="Refused")
            except Retry as error:
                logger.warning("plan %s waits: %s", proposal.plan_id, error)
                await asyncio.sleep(backoff.next(at_least=error.after))
                continue
            except NotLeader:
                raise
            except Exception:  # the next plan is not to suffer for it
                logger.exception("making plan %s", proposal.plan_id)
                self._turn_away("untranslatable", proposal.plan_id, "internal error", state="Untranslatable")
            return

    async def _make(self, proposal: Proposal) -> None:
        terms = self._terms
        found = await self._look_up(proposal.sought(terms.namespace))
        manifest = write(proposal, found, terms)
        try:
            made = await self._api.create(PLANS, manifest, field_manager=FIELD_MANAGER)
        except Conflict:
            existing = await self._api.find(PLANS, terms.namespace, manifest["metadata"]["name"])
            if existing is None:
                raise Retry("it was there, and is gone") from None
            self._again(proposal, _content(existing))
            return
        self._door.known.put(made)
        self._metrics.plan_received("created")
        logger.info("plan %s is ActionPlan %s/%s", proposal.plan_id, terms.namespace, made["metadata"]["name"])

    async def _look_up(self, sought: Iterable[Sought]) -> dict[Sought, frozenset[str]]:
        async def kinds(each: Sought) -> frozenset[str]:
            there = [kind for kind in each.kinds if await self._api.find(_BY_KIND[kind], each.namespace, each.name)]
            return frozenset(there)

        return {each: await kinds(each) for each in set(sought)}

    def _again(self, proposal: Proposal, content: str) -> None:
        if content == proposal.content:
            self._metrics.plan_received("known")
            return
        # An answer would be read as one about the plan that bore the id first.
        self._metrics.plan_received("conflict")
        logger.warning("plan_id %s was another plan before: what it says now is not done", proposal.plan_id)

    def _content_of(self, plan_id: str) -> str | None:
        if plan_id in self._lobby.contents:
            return self._lobby.contents[plan_id]
        existing = self._door.known.get(Key(self._terms.namespace, name_of(plan_id)))
        return _content(existing) if existing is not None else None

    def _turn_away(self, result: str, plan_id: str, message: str, *, state: str) -> None:
        self._metrics.plan_received(result)
        logger.warning("plan %s is not taken: %s", plan_id or "without an id", message)
        if plan_id:
            self._door.tell(refusal(plan_id, f"{state}: {message}", state=state, now=self._now()))


def _content(plan: Manifest) -> str:
    return str((plan["metadata"].get("annotations") or {}).get(CONTENT, ""))
