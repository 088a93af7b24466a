"""Metrics that add up, logs that are JSON and bounded, trace context as W3C says."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.model.classifier import Classifier, Reading
from sentinel_workloads.model_server.observe.logs import MAX_LINES_PER_SECOND, JsonLines, Throttle
from sentinel_workloads.model_server.observe.metrics import Metrics
from sentinel_workloads.model_server.observe.trace import request_id, trace_of

CONFIG = ServingConfig(name="m", namespace="n", revision="r1", version="1", labels=("yes", "no"), threshold=0.8)


def a_run(*scores: tuple[int, float]) -> list[Work]:
    work = Work({}, rows=len(scores), key=None, deadline=0, done=lambda _: None)
    best = np.array([label for label, _ in scores])
    values = np.array([score for _, score in scores], np.float32)
    table = np.zeros((len(scores), 2), np.float32)
    table[np.arange(len(scores)), best] = values
    work.reading = Reading(Classifier(output=0, logits=False), [table])
    return [work]


def samples(metrics: Metrics, accept: str = "") -> dict[tuple[str, frozenset], float]:
    body, content_type = metrics.exposition(accept)
    parse = parse_openmetrics if "openmetrics" in content_type else parse_text
    return {
        (
            sample.name,
            frozenset((k, v) for k, v in sample.labels.items() if k not in ("model", "revision")),
        ): sample.value
        for family in parse(body.decode())
        for sample in family.samples
    }


def value(found, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text;version=1.0.0"], ids=["text", "openmetrics"])
def test_what_happened_is_told(accept: str):
    metrics = Metrics(CONFIG)
    figures = metrics.figures(CONFIG)
    figures.answered("http", "200", 0.003)
    figures.answered("http", "503", 0.2)
    figures.answered("grpc", "OK", 99.0)
    figures.ran(a_run((0, 0.97), (1, 0.5), (0, 0.8)), rows=3, seconds=0.002)
    figures.in_flight, metrics.ready, figures.queue_depth = 2, True, lambda: 7
    found = samples(metrics, accept)
    prefix = "sentinel_model_server"
    assert value(found, f"{prefix}_requests_total", protocol="http", code="200") == 1
    assert value(found, f"{prefix}_requests_total", protocol="http", code="503") == 1
    assert value(found, f"{prefix}_request_duration_seconds_count", protocol="http") == 2
    assert value(found, f"{prefix}_request_duration_seconds_bucket", protocol="http", le="0.005") == 1
    assert value(found, f"{prefix}_request_duration_seconds_bucket", protocol="grpc", le="30.0") == 0
    assert value(found, f"{prefix}_request_duration_seconds_bucket", protocol="grpc", le="+Inf") == 1
    assert value(found, f"{prefix}_predictions_total", label="yes", uncertain="false") == 2
    assert value(found, f"{prefix}_predictions_total", label="no", uncertain="true") == 1
    assert value(found, f"{prefix}_score_bucket", le="0.5") == 1
    assert value(found, f"{prefix}_score_count") == 3
    assert value(found, f"{prefix}_batch_size_sum") == 3
    assert value(found, f"{prefix}_queue_depth") == 7
    assert value(found, f"{prefix}_in_flight") == 2
    assert value(found, f"{prefix}_ready") == 1
    assert value(found, f"{prefix}_model_info", version="1", digest="", task="Generic") == 1
    assert value(found, "sentinel_workload_requests_total") == 3
    assert value(found, "sentinel_workload_errors_total") == 1
    assert value(found, "sentinel_workload_queue_depth") == 7
    assert value(found, "sentinel_workload_inference_latency_ms_bucket", le="2.5") == 1
    assert value(found, "sentinel_workload_inference_latency_ms_sum") == pytest.approx(2)
    assert value(found, "sentinel_workload_batch_size_count") == 1
    assert value(found, "sentinel_workload_model_load_duration_seconds") == 0
    assert ("process_resident_memory_bytes", frozenset()) in found


def test_every_series_of_ours_names_the_revision():
    body, _ = Metrics(CONFIG).exposition("")
    for family in parse_text(body.decode()):
        for sample in family.samples:
            if sample.name.startswith("sentinel_"):
                assert sample.labels["revision"] == "r1"


TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"


@pytest.mark.parametrize(
    ("given", "trace", "sampled"),
    [
        (TRACE + b"01", "4bf92f3577b34da6a3ce929d0e0e4736", True),
        (TRACE + b"00", "4bf92f3577b34da6a3ce929d0e0e4736", False),
        (TRACE + b"03-more", "4bf92f3577b34da6a3ce929d0e0e4736", True),
        (b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01", "", False),
        (b"nonsense", "", False),
        (None, "", False),
    ],
)
def test_trace_context_is_continued(given: bytes | None, trace: str, sampled: bool):
    assert trace_of(given) == (trace, sampled)


def test_request_ids_are_the_clients_where_sane_and_never_twice():
    assert request_id(b"abc-1") == "abc-1"
    made = {request_id(bad) for bad in (None, b"", b"a b", b"x" * 129, b"a\r\nSet-Cookie: b", "ü".encode())}
    assert len(made) == 6
    assert not made & {"a b", "ü"}


def a_record(name: str = "a", **extra: object) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.INFO, __file__, 1, "said %s", ("so",), None)
    record.__dict__.update(extra)
    return record


def test_a_log_line_is_one_json_object():
    line = json.loads(JsonLines({"revision": "r1"}).format(a_record(requestId="7", traceId="", seconds=0.5)))
    assert line["msg"] == "said so"
    assert line["level"] == "info"
    assert (line["revision"], line["requestId"], line["seconds"]) == ("r1", "7", 0.5)
    assert "traceId" not in line


def test_a_storm_of_log_lines_is_bounded_for_each_logger(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr("sentinel_workloads.model_server.observe.logs.time.monotonic", lambda: now[0])
    throttle = Throttle()
    assert sum(throttle.filter(a_record()) for _ in range(1000)) == MAX_LINES_PER_SECOND
    assert throttle.filter(a_record("b"))
    now[0] += 1
    after = a_record()
    assert throttle.filter(after)
    assert after.leftOut == 1000 - MAX_LINES_PER_SECOND
