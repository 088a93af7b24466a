"""A plan that is done, and not yet known to have been right."""

from __future__ import annotations

from datetime import timedelta

from sentinel_operator.api.fields import seconds
from sentinel_operator.core.actionplan.locks import regained
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.step import WAIT, Step, ended, stay, to
from sentinel_operator.core.actionplan.verify import examine
from sentinel_operator.core.analysis.measurement import moment
from sentinel_operator.core.analysis.state import FINAL
from sentinel_operator.core.conditions import truncated


def verify(observed: Observed) -> Step:
    """Measures until there is a verdict. What cannot be measured was not found right, and is not kept as if it were."""
    wanted = observed.plan.verify
    if wanted is None:
        return ended(observed, "Completed", "every decision is done")
    if not observed.around.locked:
        return regained(observed)
    examined = examine(observed, wanted.metrics, key="verify")
    run = examined.status
    if run.verdict == "Pass":
        return ended(observed, "Completed", f"done and right: {run.message}", analysis=run)
    if run.verdict in FINAL:
        return _wrong(observed, f"the verification says {run.verdict}: {run.message}", run)
    began = moment(run.started_at) or observed.now
    left = (began + timedelta(seconds=seconds(wanted.timeout)) - observed.now).total_seconds()
    if left <= 0:
        return _wrong(observed, f"the verification has no verdict after {wanted.timeout}: {run.message}", run)
    waiting = stay(observed, f"is it right? {run.message}", analysis=run)
    return Step(status=waiting.status, measure=examined.measuring, look_again=min(left, examined.again or WAIT))


def _wrong(observed: Observed, message: str, run: object) -> Step:
    failure = truncated(message)
    if observed.plan.on_failure == "Rollback":
        return to(observed, "RollingBack", message, analysis=run, failure=failure)
    return ended(observed, "Failed", message, analysis=run, failure=failure)
