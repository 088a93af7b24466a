"""The process: health at once, ready when the model is proven, gone when the last request is answered."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from pathlib import Path

from pydantic import ValidationError

from sentinel_operator.api.active import Instruction
from sentinel_operator.api.serving import ExitCode, ServingConfig
from sentinel_workloads.model_server.access.certificates import Certificates
from sentinel_workloads.model_server.access.gate import Gate
from sentinel_workloads.model_server.access.keys import ApiKeys
from sentinel_workloads.model_server.access.rate import RateLimit
from sentinel_workloads.model_server.access.tokens import Tokens
from sentinel_workloads.model_server.access.watched import reload_on_change
from sentinel_workloads.model_server.api.http import HttpApi, MetricsApi
from sentinel_workloads.model_server.api.rpc import RpcServer
from sentinel_workloads.model_server.api.service import Service
from sentinel_workloads.model_server.drain import until_idle
from sentinel_workloads.model_server.observe.metrics import Metrics
from sentinel_workloads.model_server.options import Options
from sentinel_workloads.model_server.revision import Revision
from sentinel_workloads.model_server.swap.fleet import Fleet
from sentinel_workloads.model_server.swap.instruction import active_of, first
from sentinel_workloads.model_server.swap.loading import Loader, load_model
from sentinel_workloads.model_server.unservable import Unservable
from sentinel_workloads.model_server.wire.listener import Listener

LOG = logging.getLogger(__name__)
SCRAPE_BYTES = 1024
"""A scraper sends no body."""
CLOSE_SECONDS = 2.0


def read_config(path: Path) -> ServingConfig:
    """Reads serving.json."""
    try:
        return ServingConfig.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise Unservable(ExitCode.InvalidConfig, f"{path} cannot be read: {error}") from error


class Server:
    """One process: for one revision, or for those that an instruction names, one after another."""

    def __init__(self, config: ServingConfig, options: Options) -> None:
        self._config, self._options = config, options
        self._stop = asyncio.Event()
        self._instruction: Instruction | None = None
        self._fleet: Fleet | None = None
        self._following: asyncio.Task[None] | None = None
        self._certificates = _certificates(config)
        self._gate = _gate(config)
        self._service = Service(config, gate=self._gate, metrics=Metrics(config))
        self._http = Listener(
            HttpApi(self._service),
            max_body=config.limits.max_request_bytes,
            tls=self._certificates.context if self._certificates else None,
        )
        self._metrics = Listener(MetricsApi(self._service), max_body=SCRAPE_BYTES)
        self._rpc = RpcServer(self._service, self._certificates)

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then drains; raises Unservable when it can never serve."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        reloading = asyncio.create_task(reload_on_change(self._mounted(), self._reload))
        try:
            if await self._start():
                await self._stop.wait()
            await self._drain()
        finally:
            reloading.cancel()
            if self._following is not None:
                self._following.cancel()
            self._service.close()

    async def _start(self) -> bool:
        """Opens the ports; false when it was told to end before the model was ready."""
        host, service = self._options.host, self._service
        ports = {"metricsPort": await self._metrics.open(host, self._options.metrics_port)}
        ports["httpPort"] = await self._http.open(host, self._options.http_port)
        LOG.info("listening", extra=ports)
        began = time.perf_counter()
        # Not the loop's own threads: these would have to be waited for, were it told to end before the model is loaded.
        loading = asyncio.create_task(self._load())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not loading.done():
            return False
        stopping.cancel()
        revision = loading.result()
        revision.figures.load_seconds = time.perf_counter() - began
        self._serve(revision)
        ports["grpcPort"] = await self._rpc.open(host, self._options.grpc_port)
        gc.collect()
        gc.freeze()  # Walking through all that was imported would hold up requests for tens of milliseconds.
        service.metrics.ready = True
        LOG.info(
            "ready",
            extra={
                **ports,
                "digest": revision.digest,
                "loadSeconds": round(revision.figures.load_seconds, 3),
                "rowMicroseconds": round(revision.pace.row_seconds * 1e6),
                "inlineRows": revision.pace.inline_rows,
                "threads": revision.pace.slots,
                "batches": revision.model.batches,
            },
        )
        return True

    async def _drain(self) -> None:
        """Says that it is not ready, serves who has not heard, ends what is under way."""
        service, limits = self._service, self._config.limits
        began = time.monotonic()
        was_ready, service.metrics.ready = service.metrics.ready, False
        self._http.draining = True
        if was_ready:
            LOG.info("draining", extra={"seconds": limits.drain_seconds})
            await until_idle(service, at_most=limits.drain_seconds)
        left = max(CLOSE_SECONDS, limits.drain_seconds - (time.monotonic() - began))
        await asyncio.gather(self._http.close(seconds=left), self._rpc.close(seconds=left))
        await self._metrics.close(seconds=0.0)
        LOG.info("drained", extra={"seconds": round(time.monotonic() - began, 3)})

    async def _load(self) -> Revision:
        """Loads the revision to begin with: the configuration's own, or the one that the instruction names."""
        config, loop = self._config, asyncio.get_running_loop()
        if self._options.follow is not None:
            self._instruction = await first(self._options.follow, self._config)
            config = active_of(self._instruction)
        loaded = await loop.run_in_executor(self._service.encoders, load_model, config)
        return Revision(config, loaded.model, loaded.pace, self._service.metrics)

    def _serve(self, revision: Revision) -> None:
        if self._instruction is None or self._options.follow is None:
            self._service.activate(revision)
            return
        if revision.name != self._config.revision:
            self._service.metrics.disown(self._config.revision)
        self._fleet = Fleet(self._service, Loader(), instruction=self._instruction)
        self._fleet.adopt(revision)
        self._following = asyncio.create_task(self._fleet.run(self._options.follow))

    def _mounted(self) -> list[Path]:
        access = self._config.access
        named = (access.api_keys_dir, access.jwt.jwks_file if access.jwt else "", access.tls_dir)
        return [Path(name) for name in named if name]

    def _reload(self) -> None:
        self._gate.reload()
        if self._certificates is not None:
            self._certificates.load()


def _certificates(config: ServingConfig) -> Certificates | None:
    if not config.access.tls_dir:
        return None
    try:
        return Certificates(Path(config.access.tls_dir))
    except (OSError, ValueError) as error:
        raise Unservable(ExitCode.InvalidConfig, str(error), field="spec.access.tls.secretRef") from error


def _gate(config: ServingConfig) -> Gate:
    access = config.access
    rate = RateLimit(access.requests_per_second, access.burst, clock=time.monotonic)
    gate = Gate(
        keys=ApiKeys(Path(access.api_keys_dir)) if access.api_keys_dir else None,
        tokens=Tokens(access.jwt) if access.jwt else None,
        rate=rate if access.requests_per_second > 0 else None,
    )
    try:
        gate.reload()
    except (OSError, ValueError) as error:
        raise Unservable(ExitCode.InvalidConfig, str(error), field="spec.access.auth") from error
    return gate
