"""Runs in a pod: asks a model again and again over every kind of connection, and tells at port 8000 what it got.

Arguments: the model's name, then a kind of connection and its address for each client, as `kept=HOST:PORT`.
It needs nothing but the standard library and what the model server's image holds.
"""

from __future__ import annotations

import http.client
import http.server
import json
import signal
import statistics
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

import grpc

from sentinel_workloads.model_server.oip import oip_pb2

FEATURES = {
    "flow_duration": 16,
    "total_packets": 1330,
    "total_bytes": 784000,
    "avg_pkt_len": 589,
    "avg_interarrival_time": 0.1,
    "flow_bytes_per_sec": 49000,
}
TIMEOUT = 10.0
PAUSE = 0.005
"""Between two requests of a client: two cores are for the cluster too."""
KEPT_FAILURES = 20
RECENT = 500
"""Answers of which the median is told."""
_INFER = "/inference.GRPCInferenceService/ModelInfer"

Ask = Callable[[], str]
"""Asks once and gives the version that answered; raises whatever went wrong."""


class Tally:
    """What came back: answers by version, of all and by client, how long they took, and what went wrong."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: Counter[str] = Counter()
        self._clients: Counter[str] = Counter()
        self._taken: deque[float] = deque(maxlen=RECENT)
        self._failures: list[str] = []
        self._failed = 0

    def answered(self, client: str, version: str, taken: float) -> None:
        with self._lock:
            self._versions[version] += 1
            self._clients[client] += 1
            self._taken.append(taken)

    def failed(self, client: str, error: Exception) -> None:
        with self._lock:
            self._failed += 1
            if len(self._failures) < KEPT_FAILURES:
                self._failures.append(f"{client} after {self._clients[client]}: {type(error).__name__}: {error}")

    def told(self) -> bytes:
        with self._lock:
            whole = {
                "versions": self._versions,
                "clients": self._clients,
                "failed": self._failed,
                "failures": self._failures,
                "milliseconds": 1000 * statistics.median(self._taken) if self._taken else None,
            }
            return json.dumps(whole).encode()


def kept(_: str, address: str) -> Ask:
    """Asks over one connection, another when the server says that it closes this one."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT)

    def ask() -> str:
        try:
            return _predict(connection)
        except Exception:
            connection.close()
            raise

    return ask


def fresh(_: str, address: str) -> Ask:
    """Asks over a new connection each time."""

    def ask() -> str:
        connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
        try:
            return _predict(connection)
        finally:
            connection.close()

    return ask


def rpc(model: str, address: str) -> Ask:
    """Asks over one gRPC channel."""
    channel = grpc.insecure_channel(address)
    infer = channel.unary_unary(
        _INFER,
        request_serializer=oip_pb2.ModelInferRequest.SerializeToString,
        response_deserializer=oip_pb2.ModelInferResponse.FromString,
    )
    request = oip_pb2.ModelInferRequest(model_name=model)
    tensor = request.inputs.add(name="features", datatype="FP32", shape=[1, len(FEATURES)])
    tensor.contents.fp32_contents.extend(FEATURES.values())

    def ask() -> str:
        return str(infer(request, timeout=TIMEOUT, wait_for_ready=False).model_version)

    return ask


CLIENTS: dict[str, Callable[[str, str], Ask]] = {"kept": kept, "fresh": fresh, "rpc": rpc}


def _predict(connection: http.client.HTTPConnection) -> str:
    body = json.dumps({"features": FEATURES})
    connection.request("POST", "/v1/predict", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {content[:200]!r}")
    return str(json.loads(content)["model"]["version"])


def _asking(tally: Tally, client: str, ask: Ask) -> None:
    while True:
        began = time.monotonic()
        try:
            version = ask()
            tally.answered(client, version, time.monotonic() - began)
        except Exception as error:  # noqa: BLE001 - each is a request that was lost
            tally.failed(client, error)
        time.sleep(PAUSE)


def _server(tally: Tally) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(tally.told())

        def log_message(self, *_: object) -> None:  # type: ignore[explicit-override]  # the pod has no typing_extensions
            """Says nothing."""

    return http.server.ThreadingHTTPServer(("", 8000), Handler)


def _clients(words: list[str]) -> Iterator[tuple[str, Ask]]:
    model, *clients = words
    for word in clients:
        kind, _, address = word.partition("=")
        yield word, CLIENTS[kind](model, address)


def main() -> None:
    """Asks until it is told to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    tally = Tally()
    for client, ask in _clients(sys.argv[1:]):
        threading.Thread(target=_asking, args=(tally, client, ask), daemon=True).start()
    _server(tally).serve_forever()


if __name__ == "__main__":
    main()
