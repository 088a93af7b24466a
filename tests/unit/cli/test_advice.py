from __future__ import annotations

import pytest

from sentinel_operator.api.serving import ExitCode
from sentinel_operator.cli.advice import ADVICE, BY_ITSELF, NOTHING, advice
from sentinel_operator.core.sentrymodel import faults, summary

FAILURES = {
    *(code.name for code in ExitCode if code is not ExitCode.Ok),
    summary.INVALID_SPEC,
    summary.NAME_CONFLICT,
    summary.SUSPENDED,
    summary.SCALED_TO_ZERO,
    "ProgressDeadlineExceeded",
    faults.REFERENCE_NOT_FOUND,
}


@pytest.mark.parametrize("reason", sorted(FAILURES))
def test_every_reason_comes_with_something_to_do(reason: str) -> None:
    assert reason in ADVICE
    assert advice(reason, ready=False, stalled=True).startswith("To do: ")


def test_what_goes_on_by_itself_asks_for_nothing() -> None:
    assert advice(summary.READY_REASON, ready=True, stalled=False) == NOTHING
    assert advice(summary.PROGRESSING, ready=False, stalled=False) == BY_ITSELF


def test_a_reason_that_is_not_known_gets_what_is_still_true() -> None:
    assert advice("OfALaterRelease", ready=False, stalled=True).startswith("To do: see the message")
