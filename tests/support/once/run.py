"""One run: a story played on the real API server by two replicas, seen by others, and judged."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.core.actionplan.stamps import REQUESTED_BY, written
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.engine.cache import version_of
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.kube import KubeApi
from tests.support.eventually import eventually
from tests.support.once.pair import Pair
from tests.support.once.place import SPACE, SYSTEM, Meter, Place, resource_of
from tests.support.once.story import DEADLINE, Draw, Edit, Story
from tests.support.once.verdict import Judge
from tests.support.once.watching import Witness
from tests.support.plansworld import PLANS

_STILL = 120.0
"""Seconds without any news of any plan after which those that are under way are lost."""


@dataclass(slots=True)
class Report:
    """What became of a run."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    told: list[tuple[float, str]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def text(self) -> str:
        """Tells it as a story."""
        begun = min((at for at, _ in self.told), default=0.0)
        lines = [f"{at - begun:7.2f}  {said}" for at, said in sorted(self.told)]
        return "\n".join([f"seed {self.seed}:", *lines, *(f"WRONG: {each}" for each in self.wrong)])


@dataclass(frozen=True, slots=True)
class Stage:
    """What all runs share."""

    api: KubeApi
    kubeconfig: Path
    meter: Meter


class Run:
    """Plays one story."""

    def __init__(self, stage: Stage, story: Story) -> None:
        self.story, self.report = story, Report(story.seed)
        self._stage, name = stage, f"r{story.seed}-{time.time_ns() % 10**6}"
        self._place = Place(stage.api, name)
        self._pair = Pair(stage.kubeconfig, name, blows=story.blows, mishaps=story.mishaps, tell=self._tell)
        self._witness = Witness(self._place, self._pair.lease)
        self._edited: set[int] = set()

    async def play(self) -> Report:
        """Plays it to its end; never raises."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(900):
                await self._play()
        except Exception:  # noqa: BLE001 - the other runs go on, and this one is told of
            self.report.wrong.append(traceback.format_exc())
        self.report.seconds = time.monotonic() - begun
        return self.report

    def _tell(self, said: str) -> None:
        self.report.told.append((time.time(), said))

    async def _play(self) -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._place.kept())
            await self._place.make(self.story.targets)
            await stack.enter_async_context(self._witness.watching())
            async with self._pair.running():
                await self._act()
                lost = await self._ended()
                await self._pair.awake()
            await self._witness.caught_up()
            judge = Judge(self.story, self._witness, self._pair.posts, edited=self._edited)
            self.report.wrong += [*lost, *judge.complaints()]
            self._tell_all(judge)

    async def _act(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for draw in self.story.plans:
                _ = tasks.create_task(self._submit(draw))
            for edit in self.story.edits:
                _ = tasks.create_task(self._edit(edit))

    async def _submit(self, draw: Draw) -> None:
        await asyncio.sleep(draw.after)
        raw = self._manifest(draw)
        await self._stage.api.create(PLANS, raw)
        self._tell(f"{draw.name} ({draw.about}) comes from {draw.source}: {_said(draw)}")
        if draw.gone_after is not None:
            await asyncio.sleep(draw.gone_after)
            with suppress(ApiError):
                await self._stage.api.delete(PLANS, ObjectRef.of(raw))
            self._tell(f"{draw.name} is deleted")

    async def _edit(self, edit: Edit) -> None:
        await asyncio.sleep(edit.after)
        resource, name = resource_of(edit.target), self._place.full(edit.target)
        ref = ObjectRef(resource.api_version, resource.kind, SPACE, name)
        made = await self._stage.api.patch(resource, ref, {"spec": {"replicas": edit.replicas}}, field_manager="user")
        self._edited.add(version_of(made))
        self._tell(f"somebody scales {edit.target} to {edit.replicas}")

    def _manifest(self, draw: Draw) -> Manifest:
        spec: dict[str, Any] = {"planId": f"{draw.name}-{self._place.run}", "source": draw.source, **draw.spec}
        if "planId" in draw.spec:
            spec["planId"] = f"{draw.spec['planId']}-{self._place.run}"
        if isinstance(spec.get("verify"), str):
            spec["verify"] = self._stage.meter.verify(spec["verify"])
        if draw.left is not None:
            made = datetime.now(UTC) - timedelta(seconds=DEADLINE - draw.left)
            spec["createdAt"] = made.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec["decisions"] = [self._decision(draw, each) for each in draw.decisions]
        metadata = {
            "name": self._place.full(draw.name),
            "namespace": SYSTEM if draw.cluster else SPACE,
            "labels": self._place.labels,
            "annotations": {REQUESTED_BY: written(Identity(username=draw.source))},
        }
        return {"apiVersion": ACTION_PLAN.api_version, "kind": ACTION_PLAN.kind, "metadata": metadata, "spec": spec}

    def _decision(self, draw: Draw, decision: Manifest) -> Manifest:
        target = {**decision["target"], "name": self._place.full(decision["target"]["name"])}
        if draw.cluster and target["kind"] != "Node":
            target["namespace"] = SPACE
        made = {**decision, "target": target}
        if "node" in decision.get("params", {}):
            made["params"] = {"node": self._place.full("node")}
        return made

    async def _ended(self) -> list[str]:
        """Waits for the end of every plan; names those that have come to none."""

        def under_way() -> list[str]:
            return [
                f"{name} is {_state(versions[-1].raw) or 'new'} still"
                for name, versions in self._witness.plans().items()
                if not versions[-1].gone and _state(versions[-1].raw) not in FINISHED
            ]

        async def over() -> bool:
            return len(self._witness.plans()) == len(self.story.plans) and not under_way()

        seen = -1
        while self._witness.count != seen:
            seen = self._witness.count
            with suppress(AssertionError):
                if await eventually(over, within=_STILL):
                    return []
        return under_way() or ["not every plan was seen"]

    # -------------------------------------------------------------------------------- telling

    def _tell_all(self, judge: Judge) -> None:
        for name, versions in self._witness.plans().items():
            self.report.told += _lives(name, versions)
            last = versions[-1]
            self.report.ends["deleted" if last.gone else _state(last.raw) or "none"] += 1
        for step in judge.steps:
            writer = judge.writer(step.version)
            self.report.told.append((step.at, f"  {step.target} becomes {step.describe()} by {writer}"))
        holder = ""
        for version in self._witness.leases():
            if (version.raw["spec"].get("holderIdentity") or "") != holder:
                holder = version.raw["spec"].get("holderIdentity") or ""
                self.report.told.append((version.at, f"the lease is {holder.rsplit('-', 1)[-1] or 'free'}'s"))
        for mishap, fault in self._pair.mishaps:
            if fault.hit:
                what = f"{mishap.status}" if mishap.status else mishap.what
                self.report.faults[f"{what} ({mishap.requests})"] += fault.hit
        self.report.faults += self._pair.struck


def _state(raw: Manifest) -> str:
    return str((raw.get("status") or {}).get("state") or "")


def _said(draw: Draw) -> str:
    said = [f"{each['verb']} {each['target']['name']}{_params(each)}" for each in draw.decisions]
    left = f", {draw.left:.1f} s left" if draw.left is not None else ""
    return ", ".join(said) + left


def _params(decision: Manifest) -> str:
    return "".join(f" {value}" for value in decision.get("params", {}).values())


def _lives(name: str, versions: Iterable[Any]) -> list[tuple[float, str]]:
    found, before = [], ""
    for version in versions:
        status = version.raw.get("status") or {}
        records = " ".join(f"{each['id']}:{each.get('state', '')}" for each in status.get("decisions") or ())
        now = f"{status.get('state') or 'new'} {records}".strip()
        if now != before:
            message = f" ({status.get('message')})" if status.get("state") in FINISHED else ""
            found.append((version.at, f"  {name} is {now}{message}"))
        before = now
    return found
