"""The HTTP port: which path is answered by what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from sentinel_workloads.model_server import __version__
from sentinel_workloads.model_server.api.call import Call, refusal_headers
from sentinel_workloads.model_server.api.content import decoded
from sentinel_workloads.model_server.api.describe import (
    model_config,
    model_metadata,
    repository_index,
    server_metadata,
)
from sentinel_workloads.model_server.api.infer import Infer
from sentinel_workloads.model_server.api.predict import Predict
from sentinel_workloads.model_server.api.service import Service
from sentinel_workloads.model_server.refusal import Cause, Refusal
from sentinel_workloads.model_server.wire.exchange import Exchange

NAMED = 3
"""Parts before the model's name in /v2/models/{name}."""
Predicting = Callable[[Call, bytes], None]
Describing = Callable[[], Any]


class HttpApi:
    """Routes every exchange and sees that it is answered. Predictions are guarded and metered, the rest is open."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._limit = service.config.limits.max_request_bytes
        model = b"/v2/models/" + service.config.name.encode()
        self._versions = model + b"/versions/"
        self._model = model
        self._predictions: dict[bytes, Predicting] = {
            b"/v1/predict": Predict(service),
            model + b"/infer": Infer(service),
        }
        self._health = {
            b"/v2/health/live": lambda: service.alive,
            b"/v2/health/ready": lambda: service.ready,
            model + b"/ready": lambda: service.ready,
        }
        self._descriptions: dict[bytes, Describing] = {
            b"/v2": lambda: server_metadata(__version__),
            b"/v2/repository/index": lambda: repository_index(service),
            model: self._metadata,
            model + b"/config": self._config,
        }

    def __call__(self, exchange: Exchange) -> None:
        """Answers, now or later. Never raises."""
        if exchange.path.startswith(self._versions):
            exchange.path = self._unversioned(exchange.path)
        predicting = self._predictions.get(exchange.path)
        if predicting is not None and exchange.method == b"POST":
            self._predict(exchange, predicting)
            return
        try:
            self._open(exchange)
        except Refusal as refusal:
            _refuse(exchange, refusal)

    def _predict(self, exchange: Exchange, predicting: Predicting) -> None:
        call = Call(exchange, self._service)
        headers = exchange.headers
        try:
            if not self._service.gate.open:
                self._service.gate.admit(
                    api_key=headers.get(b"x-api-key", b"").decode("latin-1"),
                    authorization=headers.get(b"authorization", b"").decode("latin-1"),
                    peer=exchange.peer,
                )
            body = exchange.body
            if (encoding := headers.get(b"content-encoding")) is not None:
                body = decoded(body, encoding, limit=self._limit)
            predicting(call, body)
        except Refusal as refusal:
            call.refuse(refusal)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            call.fail(error)

    def _open(self, exchange: Exchange) -> None:
        path, method = exchange.path.rstrip(b"/") or b"/", exchange.method
        if (healthy := self._health.get(path)) is not None:
            _allow(method, b"GET", b"HEAD")
            exchange.reply(200 if healthy() else 503, b"")
        elif (describing := self._descriptions.get(path)) is not None:
            _allow(method, b"GET", b"HEAD", *((b"POST",) if path.endswith(b"/index") else ()))
            exchange.reply(200, orjson.dumps(describing()))
        elif path in self._predictions:
            _allow(method, b"POST")
        else:
            _check_model(path, self._service)
            raise Refusal(Cause.NOT_FOUND, f"there is nothing at {path.decode(errors='replace')[:200]}")

    def _unversioned(self, path: bytes) -> bytes:
        """Gives the path without the version where it names the one that answers now."""
        version, slash, rest = path.removeprefix(self._versions).partition(b"/")
        served = self._service.version.encode()
        return self._model + slash + rest if served and version == served else path

    def _metadata(self) -> dict[str, Any]:
        active = self._service.loaded()
        return model_metadata(active.config, active.model.graph)

    def _config(self) -> dict[str, Any]:
        active = self._service.loaded()
        return model_config(active.config, active.model.graph, batches=active.model.batches)


class MetricsApi:
    """The metrics port: /metrics and nothing else."""

    def __init__(self, service: Service) -> None:
        self._metrics = service.metrics

    def __call__(self, exchange: Exchange) -> None:
        """Answers at once."""
        if exchange.path != b"/metrics" or exchange.method not in (b"GET", b"HEAD"):
            _refuse(exchange, Refusal(Cause.NOT_FOUND, "only GET /metrics is here"))
            return
        body, content_type = self._metrics.exposition(exchange.headers.get(b"accept", b"").decode("latin-1"))
        exchange.reply(200, body, content_type=content_type.encode())


def _allow(method: bytes, *allowed: bytes) -> None:
    if method not in allowed:
        names = b", ".join(allowed).decode()
        raise Refusal(Cause.METHOD, f"the method must be {names}", field=names)


def _check_model(path: bytes, service: Service) -> None:
    """Says which model is served, where the path names another."""
    parts = path.decode(errors="replace").split("/")
    if parts[1:3] == ["v2", "models"] and len(parts) > NAMED:
        service.check_version(parts[3][:200], parts[5][:200] if parts[4:5] == ["versions"] and parts[5:] else "")


def _refuse(exchange: Exchange, refusal: Refusal) -> None:
    headers = refusal_headers(refusal)
    if refusal.cause is Cause.METHOD:
        headers += b"Allow: %b\r\n" % refusal.field.encode()
    exchange.reply(refusal.cause.status, orjson.dumps({"error": refusal.message}), headers=headers)
