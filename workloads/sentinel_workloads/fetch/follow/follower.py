"""Makes the volume what the ConfigMap wants: fetches, verifies, tells the server, removes; whatever happens between."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Literal

from sentinel_operator.api.active import ActiveConfig, Instruction, LocalRevision, RevisionConfig
from sentinel_operator.api.serving import ExitCode, Termination, Verification
from sentinel_workloads.fetch import report
from sentinel_workloads.fetch.config import check
from sentinel_workloads.fetch.follow.home import Home
from sentinel_workloads.fetch.follow.watch import wait_after
from sentinel_workloads.fetch.run import fetch
from sentinel_workloads.objectstore.failures import Failure

log = logging.getLogger(__name__)
MAY_PASS = frozenset({ExitCode.StorageUnreachable, ExitCode.NoSpace})
"""What another attempt may mend without anybody changing anything."""
RETRY_FACTOR = 20.0
"""Of the waits between reads of the ConfigMap: a store that was down for the whole of a fetch is not asked at once."""


@dataclass(slots=True)
class Held:
    """One revision that is named, and how far its copy is."""

    config: RevisionConfig
    state: Literal["Fetching", "Verified", "Failed"] = "Fetching"
    failure: Failure | None = None
    verification: Verification | None = None
    task: asyncio.Task[None] | None = None
    attempts: int = 0


class Follower:
    """Follows one instruction at a time; `want` may be called at any moment, again with the same too."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._wanted: ActiveConfig | None = None
        self._told = home.told()
        self.held: dict[str, Held] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}
        """Fetches that were cancelled and may still be tidying up the folder."""
        self.changed = asyncio.Event()
        """Set after each step."""

    @property
    def told(self) -> Instruction | None:
        """What the server was told last."""
        return self._told

    @property
    def wanted(self) -> ActiveConfig | None:
        """What the operator wants."""
        return self._wanted

    def want(self, wanted: ActiveConfig) -> None:
        """Takes what shall be."""
        self._wanted = wanted
        for config in wanted.revisions:
            held = self.held.get(config.serving.revision)
            if held is None or (held.config != config and held.state != "Verified"):
                self._drop(config.serving.revision)
                self.held[config.serving.revision] = Held(config)
        named = {config.serving.revision for config in wanted.revisions}
        for name in [name for name in self.held if name not in named]:
            self._drop(name)
        self._step()

    async def close(self) -> None:
        """Ends all that is under way."""
        tasks = [held.task for held in self.held.values() if held.task is not None]
        tasks += self._ending.values()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drop(self, name: str) -> None:
        held = self.held.pop(name, None)
        if held is not None and held.task is not None:
            held.task.cancel()
            self._ending[name] = held.task

    def _step(self) -> None:
        wanted = self._wanted
        if wanted is None:
            return
        self._begin(wanted)
        self._tell(wanted)
        self.changed.set()

    def _begin(self, wanted: ActiveConfig) -> None:
        """Fetches the active one alone, then the others at once."""
        active = self.held[wanted.active]
        for held in [active] if active.state == "Fetching" else self.held.values():
            if held.state == "Fetching" and held.task is None:
                held.task = asyncio.create_task(self._bring(held))

    def _tell(self, wanted: ActiveConfig) -> None:
        """Tells the server what is possible, and only then removes what is needed no longer."""
        active, kept = self._servable(wanted)
        if active:
            revisions = tuple(self._local(held) for held in self.held.values())
            instruction = Instruction(
                serial=wanted.serial,
                active=active,
                candidate=wanted.candidate,
                revisions=(*revisions, *((kept,) if kept is not None else ())),
                replay=wanted.replay,
                replay_bytes=wanted.replay_bytes,
                parity=wanted.parity,
                shadow=wanted.shadow,
                pending=wanted.active if wanted.active != active else "",
            )
            if self._home.tell(instruction):
                log.info("told", extra={"serial": wanted.serial, "active": active, "pending": instruction.pending})
            self._told = instruction
        names = {*self.held, active} if active else {*self.held, *self._names_told()}
        if gone := self._home.keep_only(names):
            log.info("removed", extra={"revisions": gone})

    def _servable(self, wanted: ActiveConfig) -> tuple[str, LocalRevision | None]:
        """Gives what can answer now: what is wanted, or else what answered before, if need be with its description."""
        if self.held[wanted.active].state == "Verified":
            return wanted.active, None
        if self._told is None:
            return "", None
        before = self._told.active
        if before in self.held:
            # Not verified again yet after a restart of this process: the server has it, and nothing is lost by waiting.
            return (before, None) if self.held[before].state == "Verified" else ("", None)
        return before, next(each for each in self._told.revisions if each.serving.revision == before)

    def _names_told(self) -> set[str]:
        return {each.serving.revision for each in self._told.revisions} if self._told is not None else set()

    def _local(self, held: Held) -> LocalRevision:
        failure = None if held.failure is None else report.failure(held.failure)
        return LocalRevision(serving=self._home.serving(held.config), state=held.state, failure=failure)

    async def _bring(self, held: Held) -> None:
        name = held.config.serving.revision
        if (before := self._ending.pop(name, None)) is not None:
            await asyncio.wait([before])
        try:
            self._home.begin(name)
            config = self._home.fetching(held.config)
            check(config)
            held.verification = await fetch(config, self._home.folder(name))
        except Failure as failure:
            self._failed(held, failure)
        except Exception as error:  # a defect must not end what keeps the pod going
            log.exception("this should not have happened", extra={"revision": name})
            self._failed(held, Failure(ExitCode.InvalidConfig, "", f"{type(error).__name__}; see the sidecar's log"))
        else:
            held.state, held.failure = "Verified", None
            log.info("verified", extra={"revision": name, **held.verification.model_dump()})
        held.task = None
        if self.held.get(name) is held:
            self._step()

    def _failed(self, held: Held, failure: Failure) -> None:
        name = held.config.serving.revision
        held.state, held.failure = "Failed", failure
        held.attempts += 1
        log.error(failure.message, extra={"revision": name, "reason": failure.code.name, "field": failure.field})
        try:
            told = Termination.model_validate_json(report.rendered(report.failure(failure)))
            self._home.fail(name, told)
        except Failure as full:
            log.warning("the failure cannot be left in its folder", extra={"fault": full.message})
        if failure.code in MAY_PASS:
            delay = RETRY_FACTOR * wait_after(held.attempts)
            asyncio.get_running_loop().call_later(delay, self._again, held)

    def _again(self, held: Held) -> None:
        if self.held.get(held.config.serving.revision) is held and held.state == "Failed":
            held.state = "Fetching"
            self._step()
