"""More than the model can do: refused with a time to come again, ended at the deadline, never out of bounds."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from tests.integration.model_server.process import ModelServer, serving
from tests.unit.model_server import graphs

INFER = "/v2/models/demo/infer"


def work(trips: int, rows: int = 1) -> dict:
    """A request that takes about a millisecond a trip."""
    return {"inputs": [{"name": "x", "datatype": "INT64", "shape": [rows, 1], "data": [trips] * rows}]}


@pytest.fixture
def server(tmp_path) -> Iterator[ModelServer]:
    """Takes as long as it is told; one run at a time, a short queue."""
    config = {
        "task": "Generic",
        "batching": {"maxSize": 1},
        "limits": {"maxQueueRows": 4, "requestTimeoutSeconds": 120, "maxBatchRows": 4},
        "threads": 64,
    }
    with serving(tmp_path, graphs.slow(64), config) as running:
        yield running


LONG = 2_000_000_000
"""Trips that take longer than any test: the server is killed under them."""


def queued(server: ModelServer) -> float:
    return server.metrics()["sentinel_model_server_queue_depth"]


def in_flight(server: ModelServer) -> float:
    return server.metrics()["sentinel_model_server_in_flight"]


class Abandoned:
    """Requests whose answers nobody waits for, until the end of the block."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self.connections: list[http.client.HTTPConnection] = []

    def send(self, trips: int) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.ports["http"], timeout=60)
        connection.request("POST", INFER, json.dumps(work(trips)))
        self.connections.append(connection)
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self.connections:
            connection.close()


def fill(server: ModelServer, sent: Abandoned, rows: int) -> None:
    """Has one request run and others wait behind it."""
    sent.send(LONG)
    server.until(lambda: in_flight(server) == 1 and queued(server) == 0, "running")
    for _ in range(rows):
        sent.send(1)
    server.until(lambda: queued(server) == rows, "queued")


def test_a_full_queue_refuses_over_http_and_grpc_and_health_goes_on(server: ModelServer):
    with Abandoned(server) as sent:
        fill(server, sent, 4)
        status, answer, headers = server.ask(INFER, work(1))
        assert (status, headers["retry-after"]) == (503, "1")
        assert "4 rows wait already" in answer["error"]
        client = triton_grpc.InferenceServerClient(server.grpc)
        tensor = triton_grpc.InferInput("x", [1, 1], "INT64")
        tensor.set_data_from_numpy(np.array([[1]]))
        with pytest.raises(InferenceServerException) as refused:
            client.infer("demo", [tensor])
        assert refused.value.status() == "StatusCode.RESOURCE_EXHAUSTED"
        client.close()
        assert server.ask("/v2/health/live")[0] == server.ask("/v2/health/ready")[0] == 200
        assert server.metrics()["sentinel_workload_errors_total"] >= 1


def test_clients_that_go_away_leave_the_queue(server: ModelServer):
    with Abandoned(server) as sent:
        fill(server, sent, 4)
        for connection in sent.connections[1:]:
            connection.close()
        server.until(lambda: queued(server) == 0, "empty")
        server.until(lambda: in_flight(server) == 1, "abandoned")


def test_the_deadline_of_a_grpc_client_holds(server: ModelServer):
    with Abandoned(server) as sent:
        fill(server, sent, 0)
        client = triton_grpc.InferenceServerClient(server.grpc)
        tensor = triton_grpc.InferInput("x", [1, 1], "INT64")
        tensor.set_data_from_numpy(np.array([[1]]))
        with pytest.raises(InferenceServerException) as refused:
            client.infer("demo", [tensor], client_timeout=0.2)
        assert refused.value.status() == "StatusCode.DEADLINE_EXCEEDED"
        server.until(lambda: queued(server) == 0, "empty")
        client.close()


def test_the_deadline_of_the_server_holds(tmp_path):
    config = {"task": "Generic", "limits": {"requestTimeoutSeconds": 0.2}, "batching": {"maxSize": 1}}
    with serving(tmp_path, graphs.slow(64), config) as server:
        status, answer, _ = server.ask(INFER, work(LONG))
        assert status == 504
        assert "within the time" in answer["error"]
        line = server.says("no answer within the time")
        assert (line["status"], line["revision"]) == (504, "abcd1234")


def test_too_many_rows_are_the_clients_fault(server: ModelServer):
    status, answer, _ = server.ask(INFER, work(1, rows=5))
    assert (status, answer["field"]) == (400, "inputs[0].shape")


def test_a_storm_leaves_a_server_that_answers(server: ModelServer):
    def ask(_: int) -> int:
        return server.ask(INFER, work(20))[0]

    with ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(ask, range(300)))
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) > 0
    server.until(lambda: in_flight(server) == 0, "idle")
    assert queued(server) == 0
    assert server.ask(INFER, work(1))[0] == 200


def test_a_request_in_a_recorded_trace_is_logged_with_its_id_and_no_payload(server: ModelServer):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    server.ask(INFER, work(3), traceparent=f"00-{trace}-00f067aa0ba902b7-01", X_Request_ID="req-1")
    line = server.says("answered")
    assert (line["traceId"], line["requestId"], line["status"]) == (trace, "req-1", 200)
    assert "INT64" not in json.dumps(server.log)
    assert not any(entry.get("raw") for entry in server.log)
