"""The termination message: JSON within 4096 bytes, whatever is said."""

from __future__ import annotations

import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.api.serving import ExitCode, Termination, Verification
from sentinel_workloads.fetch import report
from sentinel_workloads.logs import JsonLines
from sentinel_workloads.objectstore.failures import Failure


def test_a_failure_has_reason_field_and_message() -> None:
    message = json.loads(report.rendered(report.failure(Failure(ExitCode.NotFound, "spec.x", "gone"))))
    assert message == {"reason": "NotFound", "field": "spec.x", "message": "gone"}


def test_a_success_has_the_verification() -> None:
    verification = Verification(digest="sha256:0", authority="a", identity="i", at="2026-01-01T00:00:00Z")
    message = json.loads(report.rendered(report.success(verification)))
    assert set(message) == {"verification"}
    assert Termination.model_validate(message).verification == verification


@given(st.text(alphabet=st.sampled_from('ab"\\\n\0üé日😀'), max_size=4000).map(lambda text: text * 3))
def test_it_fits_and_stays_json_however_long_the_text(text: str) -> None:
    for termination in (
        report.failure(Failure(ExitCode.NotFound, "spec.x", text)),
        report.success(Verification(digest="sha256:0", warning=text)),
    ):
        rendered = report.rendered(termination)
        assert len(rendered.encode()) <= 4096
        read = Termination.model_validate_json(rendered)
        said = read.message or (read.verification.warning if read.verification else "")
        assert text.startswith(said.removesuffix("…"))
        assert len(said) > 300 or said == text


def test_logs_are_json_lines_with_what_was_given() -> None:
    record = logging.makeLogRecord({"msg": "done %s", "args": (1,), "levelname": "INFO", "bytes": 3, "created": 0})
    line = json.loads(JsonLines().format(record))
    assert line == {"time": "1970-01-01T00:00:00.000+00:00", "level": "info", "message": "done 1", "bytes": 3}
