"""How far a plan comes in one pass: through all steps that only decide, up to the first that acts, asks or waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.status import as_manifest, desired_status, events
from sentinel_operator.core.actionplan.step import Step
from sentinel_operator.core.plan import Event, Plan

_MOST = 64
"""Steps of one pass. Nothing needs as many; what is left then is the next pass's."""


def course(observed: Observed, take: Callable[[Observed], Step]) -> Plan:
    """Gives what is to be written and done after all the steps. What is done was recorded by the status that is written
    before it, be it by this very pass.

    A step that only decides sees what the one before it saw: nothing that it depends on can have become older by not
    being written and read again in between. Each is in the history, at its time.
    """
    now, told, passed = observed, list[Event](), list[str]()
    taken = take(now)
    for left in range(_MOST, -1, -1):
        status, goes_on = desired_status(now, taken), left > 0 and _goes_on(taken)
        told.extend(events(now.status, status, taken.reason, in_passing=goes_on))
        if status.state is not None and status.state != now.status.state:
            passed.append(status.state)
        now = replace(now, status=status)
        if not goes_on:
            break
        taken = take(now)
    acts = bool(taken.patch or taken.evict)
    return Plan(
        patch=taken.patch,
        evict=taken.evict,
        rehearse=taken.rehearse,
        wants_levels=taken.wants_levels,
        wants_locks=taken.wants_locks,
        measure=taken.measure,
        status=None if acts and now.status == observed.status else as_manifest(now.status),
        guarded=True,
        events=tuple(told),
        passed=tuple(passed),
        requeue_after=taken.look_again,
        paced=True,
    )


def _goes_on(taken: Step) -> bool:
    return taken.look_again == 0.0 and not taken.patch and not taken.evict and taken.status.state not in FINISHED
