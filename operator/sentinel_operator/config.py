"""Settings of the process: flags, each with an environment variable of the same name, each with a default.

What concerns the cluster rather than the process is in SentinelConfig and applies without a restart.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sentinel_operator import flags
from sentinel_operator.engine.leader import LeaseSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is fixed for the life of the process."""

    namespace: str = "sentinel-system"
    kubeconfig: Path | None = None
    context: str | None = None
    identity: str = field(default_factory=flags.identity)
    workers: int = 16
    api_concurrency: int = 32
    api_timeout: float = 30.0
    pass_deadline: float = 60.0
    drain: float = 20.0
    resync: float = 600.0
    lease: str = "sentinel-operator"
    lease_duration: float = 15.0
    lease_deadline: float = 10.0
    lease_retry: float = 2.0
    http_host: str = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus come from outside the pod
    http_port: int = 8080
    webhook: bool = True
    webhook_host: str = "0.0.0.0"  # noqa: S104 - the API server comes from outside the pod
    webhook_port: int = 9443
    webhook_service: str = "sentinel-operator"
    webhook_names: tuple[str, ...] = ()
    webhook_secret: str = "sentinel-webhook-tls"  # noqa: S105 - the name of a Secret
    webhook_configuration: str = "sentinel-operator"
    webhook_certificates: Path | None = None
    log_level: str = "info"

    @property
    def election(self) -> LeaseSettings:
        """Gives the lease that the replicas compete for."""
        return LeaseSettings(
            namespace=self.namespace,
            name=self.lease,
            identity=self.identity,
            duration=self.lease_duration,
            deadline=self.lease_deadline,
            retry=self.lease_retry,
        )


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads flags, then the environment, then defaults. A bad value ends the process with a message that names it."""
    parser = _parser(environment)
    given = parser.parse_args(arguments)
    values = vars(given)
    values["webhook_names"] = tuple(each for each in values["webhook_names"].split(",") if each)
    settings = Settings(**values)
    try:
        _ = settings.election
    except ValueError as error:
        parser.error(str(error))
    return settings


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sentinel_operator",
        description=f"The Sentinel operator. {flags.HELP}",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    reader = flags.Reader(parser, environment)
    _cluster_flags(reader)
    _work_flags(reader)
    _serving_flags(reader)
    return parser


def _cluster_flags(reader: flags.Reader) -> None:
    reader.add("namespace", flags.own_namespace(), "where the lease and the webhook's Secret are")
    reader.add("kubeconfig", None, "a kubeconfig; without one, the pod's service account", type=Path)
    reader.add("context", None, "a context of the kubeconfig")
    reader.add("identity", flags.identity(), "how this replica calls itself in the lease; unique")
    reader.add("log-level", "info", "debug, info, warning or error", type=flags.level)


def _work_flags(reader: flags.Reader) -> None:
    reader.add("workers", 16, "objects of one kind that are worked on at once", type=flags.positive)
    reader.add("api-concurrency", 32, "requests to the API server at once, watches apart", type=flags.positive)
    reader.add("api-timeout", "30s", "how long a request may take", type=flags.duration)
    reader.add("pass-deadline", "60s", "how long one pass over one object may take", type=flags.duration)
    reader.add("drain", "20s", "how long passes may take to finish after SIGTERM", type=flags.duration)
    reader.add("resync", "10m", "how often every object is looked at without a reason", type=flags.duration)
    reader.add("lease", "sentinel-operator", "name of the lease that elects the leader")
    reader.add("lease-duration", "15s", "after which others take a silent leader's place", type=flags.duration)
    reader.add("lease-deadline", "10s", "after which a leader that cannot renew stops", type=flags.duration)
    reader.add("lease-retry", "2s", "how often the lease is renewed", type=flags.duration)


def _serving_flags(reader: flags.Reader) -> None:
    reader.add("http-host", "0.0.0.0", "address of /healthz, /readyz and /metrics")  # noqa: S104
    reader.add("http-port", 8080, "port of /healthz, /readyz and /metrics", type=flags.port)
    reader.add("webhook", True, "serve the webhooks", type=flags.switch)
    reader.add("webhook-host", "0.0.0.0", "address of the webhook")  # noqa: S104
    reader.add("webhook-port", 9443, "port of the webhook", type=flags.port)
    reader.add("webhook-service", "sentinel-operator", "Service under which the API server calls the webhook")
    reader.add("webhook-names", "", "further names and addresses of its certificate, separated by commas")
    reader.add("webhook-secret", "sentinel-webhook-tls", "Secret of its certificate, made where absent")
    reader.add("webhook-configuration", "sentinel-operator", "webhook configurations whose caBundle to keep")
    reader.add(
        "webhook-certificates",
        None,
        "a mounted directory with tls.crt and tls.key (cert-manager) to use instead of an own authority",
        type=Path,
    )
