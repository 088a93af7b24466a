"""Follows the instruction: loads what it names, flips to what it wants, unloads the rest. No request waits for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import Metric

from sentinel_operator.api.active import Instruction, Shadow
from sentinel_workloads.model_server.api.sample import Tap
from sentinel_workloads.model_server.api.service import Service
from sentinel_workloads.model_server.revision import Revision
from sentinel_workloads.model_server.swap.instruction import watch
from sentinel_workloads.model_server.swap.loading import MOST_CRASHES, Loaded, Loader
from sentinel_workloads.model_server.swap.memory import give_back
from sentinel_workloads.model_server.swap.parity import Verdict, compare, verdict
from sentinel_workloads.model_server.swap.ring import Ring
from sentinel_workloads.model_server.swap.standing import PROTOCOL_STATES, Standing, State, families, reason_of
from sentinel_workloads.model_server.unservable import Unservable

if TYPE_CHECKING:
    from sentinel_workloads.model_server.shadow.mirror import Mirror
    from sentinel_workloads.model_server.shadow.tally import Tally

LOG = logging.getLogger(__name__)
RETIRE_LOOK_SECONDS = 0.05
PARITY_STEP = 2
"""A comparison is made again when this many times as many inputs are there."""
REFUSED = "ParityFailed"


class Fleet:
    """Every revision of this process. All decisions are made on the loop, in `_step`, from what is there then."""

    def __init__(self, service: Service, loader: Loader, *, instruction: Instruction) -> None:
        self._service, self._loader = service, loader
        self._instruction = instruction
        self._standings: dict[str, Standing] = {}
        self._flips: dict[str, int] = {}
        self._busy = False
        self._compared: tuple[Revision, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        self._mirror: Mirror | None = None
        self.ring = Ring()
        service.others = self._others
        service.metrics.add(self._families)

    def adopt(self, revision: Revision) -> None:
        """Takes the revision that the process began with."""
        standing = Standing(revision.config, State.READY, fetched=True, revision=revision)
        self._standings[revision.name] = standing
        self._flip(standing)
        self.follow(self._instruction)

    async def run(self, path: Path) -> None:
        """Follows the file until cancelled."""
        try:
            async for instruction in watch(path, self._service.config):
                if instruction is None:
                    self._step()  # More inputs may have come.
                else:
                    self.follow(instruction)
        finally:
            for task in self._tasks:
                task.cancel()
            if self._mirror is not None:
                await self._mirror.close()
            self._loader.close()

    def follow(self, instruction: Instruction) -> None:
        """Takes a new instruction."""
        self._instruction = instruction
        self.ring.resize(most=instruction.replay, most_bytes=instruction.replay_bytes)
        self._reflect(instruction.shadow)
        ring: tuple[Tap, ...] = (self.ring,) if instruction.replay else ()
        self._service.taps = (*ring, self._mirror) if self._mirror is not None else ring
        LOG.info(
            "instruction",
            extra={
                "serial": instruction.serial,
                "active": instruction.active,
                "candidate": instruction.candidate or "",
                "named": [each.serving.revision for each in instruction.revisions],
            },
        )
        self._step()

    def _reflect(self, shadow: Shadow | None) -> None:
        """Mirrors as the instruction says; the counts about a candidate go on when the share of it changes."""
        if self._mirror is not None and self._mirror.shadow == shadow:
            return
        tallies: dict[str, Tally] = {}
        if self._mirror is not None:
            if shadow is not None and shadow.revision == self._mirror.shadow.revision:
                tallies = self._mirror.tallies
            self._keep(self._mirror.close())
            self._mirror = None
        if shadow is not None:
            from sentinel_workloads.model_server.shadow.mirror import Mirror  # noqa: PLC0415 - few need it

            try:
                self._mirror = Mirror(self._service.config, shadow, tallies=tallies)
            except (OSError, ValueError) as error:
                LOG.error("nothing is mirrored: %s", error)  # noqa: TRY400

    def _step(self) -> None:
        named = {each.serving.revision: each for each in self._instruction.revisions}
        for name, local in named.items():
            standing = self._standings.setdefault(name, Standing(local.serving))
            standing.update(local)
        self._obey_active()
        for name in [name for name in self._standings if name not in named]:
            self._retire(name)
        self._work_next()

    # ------------------------------------------------------------------------------------------------ the pointer

    def _obey_active(self) -> None:
        wanted = self._instruction.active
        standing = self._standings.get(wanted)
        active = self._service.active
        for other in self._standings.values():
            if other.state is State.REFUSED and (other is not standing or self._may_serve(other)):
                other.state, other.reason, other.message = State.READY, "", ""
        if standing is None or standing.revision is None or standing.revision is active:
            return
        if not self._may_serve(standing):
            if standing.state is not State.REFUSED:
                _, why = verdict(standing.parity, self._instruction.parity)
                standing.state, standing.reason, standing.message = State.REFUSED, REFUSED, why
                LOG.warning("not swapped", extra={"to": wanted, "reason": REFUSED, "why": why})
            return
        self._flip(standing)

    def _may_serve(self, standing: Standing) -> bool:
        limits = self._instruction.parity
        return limits is None or standing.served or verdict(standing.parity, limits)[0] is not Verdict.FAIL

    def _flip(self, standing: Standing) -> None:
        if standing.revision is None:
            raise AssertionError("only what is loaded can answer")
        before = self._service.active
        self._service.activate(standing.revision)
        standing.served = True
        if before is not None:
            self._flips[standing.revision.name] = self._flips.get(standing.revision.name, 0) + 1
            LOG.info("swapped", extra={"from": before.name, "to": standing.revision.name})

    # ------------------------------------------------------------------------------------------------ loading

    def _work_next(self) -> None:
        """Starts the next thing that takes a thread: the active revision first, then the candidate, then the rest."""
        if self._busy:
            return
        wanted = (self._instruction.active, self._instruction.candidate)
        order = sorted(self._standings.values(), key=lambda each: _place(each.config.revision, wanted))
        for standing in order:
            if standing.state is State.LOADING and standing.revision is None:
                self._start(self._load(standing))
                return
        candidate = self._standings.get(self._instruction.candidate or "")
        if candidate is not None and self._is_due(candidate):
            self._start(self._compare(candidate))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._busy = True
        self._keep(work, then=self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._busy = False
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            LOG.critical("following an instruction failed", exc_info=error)
        self._step()

    def _keep(
        self, work: Coroutine[None, None, None], *, then: Callable[[asyncio.Task[None]], None] | None = None
    ) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if then is not None:
            task.add_done_callback(then)

    async def _load(self, standing: Standing) -> None:
        config = standing.config
        crashes = self._loader.crashes.of(config.revision)
        if crashes >= MOST_CRASHES:
            standing.fail("Crashed", f"the server died {crashes} times while it loaded it: too little memory?")
            LOG.error("not loaded", extra={"candidate": config.revision, "reason": standing.reason})
            return
        began = time.perf_counter()
        try:
            loaded = await self._loader.load(config)
        except Unservable as error:
            standing.fail(error.code.name, f"{error.field}: {error.message}" if error.field else error.message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the active revision goes on
            standing.fail("LoadFailed", f"{type(error).__name__}: {error}")
        else:
            self._loaded(standing, loaded, seconds=time.perf_counter() - began)
            return
        said = {"reason": standing.reason, "why": standing.message}
        LOG.warning("not loaded", extra={"candidate": config.revision, **said})

    def _loaded(self, standing: Standing, loaded: Loaded, *, seconds: float) -> None:
        revision = Revision(standing.config, loaded.model, loaded.pace, self._service.metrics)
        revision.figures.load_seconds = seconds
        standing.revision, standing.state = revision, State.READY
        LOG.info("loaded", extra={"candidate": revision.name, "digest": revision.digest, "seconds": round(seconds, 3)})
        if self._standings.get(revision.name) is not standing:  # Named no longer while it was loaded.
            self._keep(self._close(revision))

    # ------------------------------------------------------------------------------------------------ comparing

    def _is_due(self, candidate: Standing) -> bool:
        active = self._service.active
        if candidate.revision is None or candidate.revision is active or active is None:
            return False
        have, wanted = len(self.ring), self._instruction.replay
        done = candidate.parity
        if done is None or done.against != active.name:
            least = self._instruction.parity.min_inputs if self._instruction.parity else 1
            return have >= min(wanted, least) > 0
        return done.inputs < wanted and have >= min(wanted, PARITY_STEP * max(1, done.inputs))

    async def _compare(self, candidate: Standing) -> None:
        active, revision = self._service.active, candidate.revision
        if active is None or revision is None:
            return
        samples = self.ring.last()
        self._compared = (active, revision)
        try:
            candidate.parity = parity = await self._loader.work(lambda: compare(active, revision, samples))
        finally:
            self._compared = ()
        found, why = verdict(parity, self._instruction.parity)
        LOG.info(
            "compared",
            extra={
                "candidate": revision.name,
                "with": active.name,
                "verdict": found,
                "why": why,
                "inputs": parity.inputs,
                "agreement": round(parity.agreement, 4),
                "scoreDifference": round(parity.score_difference, 4),
                "latencyRatio": round(parity.latency_ratio, 3),
            },
        )

    # ------------------------------------------------------------------------------------------------ unloading

    def _retire(self, name: str) -> None:
        standing = self._standings[name]
        if standing.revision is not None and standing.revision is self._service.active:
            return  # What should take its place is not there.
        del self._standings[name]
        if standing.revision is not None:
            self._keep(self._close(standing.revision))

    async def _close(self, revision: Revision) -> None:
        """Frees the model when its last request is answered, and no comparison runs on it."""
        while revision.in_flight or revision in self._compared:  # noqa: ASYNC110 - counted on the path of every request
            await asyncio.sleep(RETIRE_LOOK_SECONDS)
        revision.close()
        name = revision.name
        await self._loader.work(give_back)
        LOG.info("unloaded", extra={"candidate": name})

    # ------------------------------------------------------------------------------------------------ telling

    def _others(self) -> list[dict[str, str]]:
        active = self._service.active
        return [
            {
                "name": each.config.name,
                "version": each.config.version or each.config.revision,
                "state": PROTOCOL_STATES[each.state],
                "reason": reason_of(each, self._instruction),
            }
            for each in self._standings.values()
            if active is None or each.revision is not active
        ]

    def _families(self) -> Iterable[Metric]:
        active = self._service.active.name if self._service.active else ""
        yield from families(tuple(self._standings.values()), self._instruction, active=active, flips=self._flips)
        if self._mirror is not None:
            yield from self._mirror.families()


def _place(name: str, wanted: tuple[str | None, ...]) -> int:
    return wanted.index(name) if name in wanted else len(wanted)
