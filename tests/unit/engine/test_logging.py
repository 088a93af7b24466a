"""A line of the log is JSON that says which object it is about."""

from __future__ import annotations

import json
import logging
import sys

from sentinel_operator.engine.logging import JsonFormatter, pass_context


def line(message: str, *, failed: bool = False, **extra: object) -> dict[str, str]:
    error = None
    if failed:
        try:
            int("broken")
        except ValueError:
            error = sys.exc_info()
    record = logging.getLogger("test").makeRecord("test", logging.INFO, "f", 1, message, (), error, extra=extra)
    parsed: dict[str, str] = json.loads(JsonFormatter().format(record))
    return parsed


def test_a_line_in_a_pass_names_the_object_and_the_trace() -> None:
    with pass_context(kind="Toy", namespace="ns", name="bear"):
        inside = line("applied", revision="1a2b3c4d")
    assert (inside["kind"], inside["object"], inside["revision"]) == ("Toy", "ns/bear", "1a2b3c4d")
    assert len(inside["trace_id"]) == 32
    assert "object" not in line("outside")


def test_each_pass_is_a_trace_of_its_own() -> None:
    traces = set()
    for _ in range(2):
        with pass_context(kind="Toy", namespace="ns", name="bear"):
            traces.add(line("x")["trace_id"])
    assert len(traces) == 2


def test_an_exception_is_on_the_same_line() -> None:
    assert "ValueError: invalid literal" in line("failed", failed=True)["exception"]
