"""The process: what is started in which order, and stopped in which order."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import kopf

from sentinel_operator.api.kinds import ACTION_PLAN, ACTION_POLICY, SCAN_JOB, SENTINEL_CONFIG, SENTRY_MODEL, Kind
from sentinel_operator.config import Settings
from sentinel_operator.core.actionplan.reconciler import ActionPlanReconciler
from sentinel_operator.core.actionpolicy.reconciler import ActionPolicyReconciler
from sentinel_operator.core.admission.actionplan import validate as validate_action_plan
from sentinel_operator.core.admission.actionpolicy import validate as validate_action_policy
from sentinel_operator.core.admission.scanjob import validate as validate_scan_job
from sentinel_operator.core.admission.sentinelconfig import validate as validate_sentinel_config
from sentinel_operator.core.admission.sentrymodel import validate as validate_sentry_model
from sentinel_operator.core.admission.stamping import annotations_of
from sentinel_operator.core.admission.verdict import Validator
from sentinel_operator.core.reconciler import Reconciler
from sentinel_operator.core.scanjob.reconciler import ScanJobReconciler
from sentinel_operator.core.sentinelconfig.reconciler import SentinelConfigReconciler
from sentinel_operator.core.sentrymodel.reconciler import SentryModelReconciler
from sentinel_operator.engine import http
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.certs import CertificateSettings, WebhookCertificate, service_hosts
from sentinel_operator.engine.controller import Controller
from sentinel_operator.engine.runtime import Runtime, RuntimeSettings
from sentinel_operator.engine.served import Served
from sentinel_operator.engine.supervisor import Supervisor, Task, why
from sentinel_operator.engine.transport import Limits
from sentinel_operator.hooks import admission, lifecycle, watch
from sentinel_operator.hooks.server import AdmissionServer

logger = logging.getLogger(__name__)

_FLUSH = 5.0
_KOPF_STOPS = 15.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the operator is about: a reconciler a kind, and validators by the name of the kind."""

    reconcilers: Sequence[Reconciler[Any]]
    validators: Mapping[str, Validator] = field(default_factory=dict)

    @property
    def kinds(self) -> list[Kind]:
        """Gives the kinds that are reconciled."""
        return [each.kind for each in self.reconcilers]


PARTS = Parts(
    reconcilers=(
        SentryModelReconciler(),
        ScanJobReconciler(),
        SentinelConfigReconciler(),
        ActionPolicyReconciler(),
        ActionPlanReconciler(),
    ),
    validators={
        SENTRY_MODEL.kind: validate_sentry_model,
        SCAN_JOB.kind: validate_scan_job,
        SENTINEL_CONFIG.kind: validate_sentinel_config,
        ACTION_POLICY.kind: validate_action_policy,
        ACTION_PLAN.kind: validate_action_plan,
    },
)
"""What this operator reconciles and validates."""


class App:
    """Runs one replica. Every replica watches, caches and validates; only the leader writes.

    `stop` may be set from outside. `run` gives the exit status: 0 after a stop or a signal, 1 where the lease was lost
    or a part failed, so that Kubernetes starts the process afresh.
    """

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings, self.parts = settings, parts
        self.stop = asyncio.Event()
        self.serving = asyncio.Event()
        self.http_port = 0
        self.admission: AdmissionServer | None = None
        self.runtime: Runtime | None = None

    async def run(self) -> int:
        """Runs until stopped, or until a part fails."""
        access = await Access.open(Source(self.settings.kubeconfig, self.settings.context))
        supervisor = Supervisor()
        try:
            return await self._run(access, supervisor)
        finally:
            await supervisor.cancel()
            await access.close()

    async def _run(self, access: Access, supervisor: Supervisor) -> int:
        runtime = self.runtime = Runtime(access, self.parts.reconcilers, self._runtime_settings())
        certificate, server = self._webhook(runtime)
        self.admission = server
        insights = watch.Insights()
        by_kopf = [each for name, each in runtime.controllers.items() if name not in runtime.watched]
        noticed = partial(watch.notice, [each.reconciler.kind for each in by_kopf], insights)
        served = Served(runtime.api, self.parts.kinds, found=noticed, rng=runtime.rng)
        checks = {"resources served": served.complete.is_set, "caches synced": lambda: runtime.synced}
        if server is not None:
            checks["webhook serving"] = server.serving.is_set
        endpoint = http.HttpServer(
            http.application(alive={"tasks": lambda: supervisor.healthy}, ready=checks, metrics=runtime.metrics.render),
            host=self.settings.http_host,
            port=self.settings.http_port,
        )
        self.http_port = await endpoint.start()
        supervisor.keep("discovery", served.run())
        if certificate is not None:
            supervisor.keep("webhook certificate", certificate.run())
        if server is not None:
            supervisor.keep("webhook", server.run())
        elector, workers = runtime.start(supervisor)
        kopf_stop = asyncio.Event()
        shell = supervisor.start("kopf", self._shell(access, by_kopf, insights, kopf_stop, runtime.rng))
        self.serving.set()
        try:
            return await self._until_end(supervisor, runtime, elector, workers)
        finally:
            await endpoint.close()
            kopf_stop.set()
            await asyncio.wait([shell], timeout=_KOPF_STOPS)

    async def _until_end(self, supervisor: Supervisor, runtime: Runtime, elector: Task, workers: Sequence[Task]) -> int:
        stopped = asyncio.create_task(self.stop.wait())
        ended = asyncio.create_task(supervisor.first_end())
        try:
            await asyncio.wait([stopped, ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            ended.cancel()
        if not self.stop.is_set():
            await supervisor.cancel(workers)
            logger.error("stopping: %s", why(ended.result()))
            await supervisor.cancel([elector])
            await runtime.elector.release()
            return 1
        logger.info("stopping as asked")
        await self._drain(runtime)
        await supervisor.cancel([*workers, elector])
        await runtime.elector.release()
        return 0

    async def _drain(self, runtime: Runtime) -> None:
        """Lets passes finish and events go out, while the lease is still renewed."""
        runtime.shut_down_queues()
        for name, work, seconds in (
            ("passes", runtime.drained(), self.settings.drain),
            ("measurements", runtime.close(), _FLUSH),
            ("events", runtime.recorder.flushed(), _FLUSH),
        ):
            try:
                async with asyncio.timeout(seconds):
                    await work
            except TimeoutError:
                logger.warning("%s were not finished within %g s", name, seconds)

    async def _shell(
        self,
        access: Access,
        watched: Sequence[Controller],
        insights: watch.Insights,
        stop: asyncio.Event,
        rng: random.Random,
    ) -> None:
        registry = kopf.OperatorRegistry()
        lifecycle.login(registry, access)
        watch.register(registry, watched)
        ready = asyncio.Event()
        signals = asyncio.create_task(self._take_signals(ready))
        try:
            chosen = lifecycle.settings(rng)
            await lifecycle.run(registry, chosen, insights, stop=stop, ready=ready)
        finally:
            signals.cancel()
        if not stop.is_set():
            self.stop.set()  # a signal that came before ours were installed

    async def _take_signals(self, kopf_ready: asyncio.Event) -> None:
        """Replaces kopf's signal handlers: passes are to end before anything stops."""
        await kopf_ready.wait()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.stop.set)

    def _webhook(self, runtime: Runtime) -> tuple[WebhookCertificate | None, AdmissionServer | None]:
        settings = self.settings
        answers = admission.answers(self.parts.kinds, self.parts.validators, authorizer=runtime.api)
        if not settings.webhook or not answers:
            return None, None
        certificate = WebhookCertificate(
            runtime.api,
            runtime.leader_api,
            CertificateSettings(
                namespace=settings.namespace,
                secret=settings.webhook_secret,
                hosts=service_hosts(settings.webhook_service, settings.namespace, settings.webhook_names),
                configuration=settings.webhook_configuration,
                mutates=any(annotations_of(kind) for kind in self.parts.kinds),
                mounted=settings.webhook_certificates,
            ),
            elected=runtime.elector.elected,
            rng=runtime.rng,
        )
        server = AdmissionServer(
            host=settings.webhook_host,
            port=settings.webhook_port,
            answers=answers,
            context=certificate.context,
            loaded=certificate.loaded,
        )
        return certificate, server

    def _runtime_settings(self) -> RuntimeSettings:
        settings = self.settings
        return RuntimeSettings(
            election=settings.election,
            workers=settings.workers,
            limits=Limits(timeout=settings.api_timeout, concurrency=settings.api_concurrency),
            pass_deadline=settings.pass_deadline,
            resync=settings.resync,
        )
