"""Every answer of the API server is mapped to what the caller has to do."""

from __future__ import annotations

import pytest

from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.errors import Conflict, Gone, NotFound, Retry, StepFailed, Terminal, api_error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, Terminal),
        (401, Retry),
        (403, Terminal),
        (404, NotFound),
        (409, Conflict),
        (410, Gone),
        (413, Terminal),
        (422, Terminal),
        (429, Retry),
        (500, Retry),
        (503, Retry),
        (504, Retry),
    ],
)
def test_a_code_is_mapped(code: int, kind: type[Exception]) -> None:
    error = api_error(code, {"message": "why", "reason": "Because"}, None)
    assert type(error) is kind
    assert (error.code, error.reason, str(error)) == (code, "Because", "why")


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), (None, None), ("soon", None), ("-1", 0.0), ("86400", 300.0)]
)
def test_retry_after_is_honoured_within_reason(header: str | None, seconds: float | None) -> None:
    error = api_error(429, {}, header)
    assert isinstance(error, Retry)
    assert error.after == seconds


def test_a_failed_step_tells_core_what_and_whether_for_good() -> None:
    ref = ObjectRef("apps/v1", "Deployment", "ns", "x")
    failed = StepFailed(ref, api_error(422, {"reason": "Invalid", "message": "spec.replicas: no"}, None))
    assert str(failed) == "Deployment ns/x: spec.replicas: no"
    assert failed.failure.terminal
    assert not StepFailed(ref, api_error(500, {}, None)).failure.terminal
