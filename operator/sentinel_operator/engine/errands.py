"""What passes want done outside of themselves: measured, asked, watched. What comes of it is told to later passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.core.actionplan.observed import MEASURED
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.analysis.progress import Task
from sentinel_operator.core.analysis.subject import Subject
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import Asking, Manifest, Plan
from sentinel_operator.core.podreport import PodReport, Watching
from sentinel_operator.core.rollout.observed import GateView
from sentinel_operator.engine.cache import Key


class Forgets(Protocol):
    """Whoever does something for an object until it is forgotten."""

    def forget(self, uid: str) -> None:
        """Ends what is under way for an object, and drops what came of it."""

    async def close(self) -> None:
        """Ends everything."""


class Measuring(Forgets, Protocol):
    """Who takes measurements."""

    def want(self, subject: Subject, tasks: Sequence[Task]) -> bool:
        """Starts what is not under way."""

    def measured(self, uid: str, revision: str) -> Mapping[str, Measurement]:
        """Gives the newest measurement of each metric."""


class Gates(Forgets, Protocol):
    """Who asks gates."""

    def want(self, asking: Asking) -> None:
        """Begins to ask, or goes on."""

    def answers(self, uid: str) -> Mapping[str, GateView]:
        """Gives the last answer of the object's gate."""


class Reporting(Forgets, Protocol):
    """Who asks pods again and again what they have to say."""

    def want(self, watching: Watching) -> None:
        """Asks these pods from now on."""

    def reports(self, uid: str) -> Mapping[str, PodReport]:
        """Gives the newest report of each pod by its uid."""


class _Lasting:
    """Which objects want one kind of errand: it ends with the first pass that does not want it any more."""

    def __init__(self, forget: Callable[[str], None]) -> None:
        self._forget = forget
        self._uids: dict[Key, str] = {}

    def keep(self, key: Key, uid: str, *, wanted: bool) -> None:
        known = self._uids.pop(key, "")
        if known and (not wanted or known != uid):
            self._forget(known)
        if wanted:
            self._uids[key] = uid


class Errands:
    """Those of one controller."""

    def __init__(self, *, measurer: Measuring, gates: Gates, reports: Reporting) -> None:
        self._measurer, self._gates, self._reports = measurer, gates, reports
        self._measuring, self._asking, self._watching = (_Lasting(each.forget) for each in (measurer, gates, reports))

    def found(self, raw: Manifest) -> Outside:
        """Gives what has come of them for an object: of a revision that is being delivered or of a plan, and of its
        pods."""
        uid = raw["metadata"]["uid"]
        reports = self._reports.reports(uid)
        candidate = _measured(raw)
        if not candidate:
            return Outside(reports=reports)
        measured = {candidate: self._measurer.measured(uid, candidate)}
        return Outside(measured=measured, gates=self._gates.answers(uid), reports=reports)

    def run(self, key: Key, uid: str, plan: Plan) -> None:
        """Starts what a plan wants, goes on with what is under way, and ends what it does not want any more."""
        self._measuring.keep(key, uid, wanted=plan.measure is not None)
        self._asking.keep(key, uid, wanted=plan.ask is not None)
        self._watching.keep(key, uid, wanted=plan.watch is not None)
        if plan.measure is not None:
            self._measurer.want(plan.measure.subject, plan.measure.tasks)
        if plan.ask is not None:
            self._gates.want(plan.ask)
        if plan.watch is not None:
            self._reports.want(plan.watch)

    def drop(self, key: Key) -> None:
        """Ends everything for an object that is gone."""
        self.run(key, "", Plan())

    async def close(self) -> None:
        """Ends everything under way."""
        await asyncio.gather(*(each.close() for each in (self._measurer, self._gates, self._reports)))


def _measured(raw: Manifest) -> str:
    """Names under what measurements of an object are kept; empty where there can be none."""
    if raw.get("kind") == ACTION_PLAN.kind:
        return MEASURED
    return str(((raw.get("status") or {}).get("rollout") or {}).get("candidate", ""))
