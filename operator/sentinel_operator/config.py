"""Settings of the process: flags, each with an environment variable of the same name, each with a default.

What concerns the cluster rather than the process is in SentinelConfig and applies without a restart.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sentinel_operator.engine.leader import LeaseSettings

_ENV_PREFIX = "SENTINEL_"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def _identity() -> str:
    return f"{socket.gethostname()}_{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is fixed for the life of the process."""

    namespace: str = "sentinel-system"
    kubeconfig: Path | None = None
    context: str | None = None
    identity: str = field(default_factory=_identity)
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
        description="The Sentinel operator. Every flag may be given as an environment variable too: "
        "--api-timeout is SENTINEL_API_TIMEOUT. Durations are numbers with a unit: 500ms, 30s, 10m.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    reader = _Reader(parser, environment)
    _cluster_flags(reader)
    _work_flags(reader)
    _serving_flags(reader)
    return parser


def _cluster_flags(reader: _Reader) -> None:
    reader.add("namespace", _own_namespace(), "where the lease and the webhook's Secret are")
    reader.add("kubeconfig", None, "a kubeconfig; without one, the pod's service account", type=Path)
    reader.add("context", None, "a context of the kubeconfig")
    reader.add("identity", _identity(), "how this replica calls itself in the lease; unique")
    reader.add("log-level", "info", "debug, info, warning or error", type=_level)


def _work_flags(reader: _Reader) -> None:
    reader.add("workers", 16, "objects of one kind that are worked on at once", type=_positive)
    reader.add("api-concurrency", 32, "requests to the API server at once, watches apart", type=_positive)
    reader.add("api-timeout", "30s", "how long a request may take", type=_duration)
    reader.add("pass-deadline", "60s", "how long one pass over one object may take", type=_duration)
    reader.add("drain", "20s", "how long passes may take to finish after SIGTERM", type=_duration)
    reader.add("resync", "10m", "how often every object is looked at without a reason", type=_duration)
    reader.add("lease", "sentinel-operator", "name of the lease that elects the leader")
    reader.add("lease-duration", "15s", "after which others take a silent leader's place", type=_duration)
    reader.add("lease-deadline", "10s", "after which a leader that cannot renew stops", type=_duration)
    reader.add("lease-retry", "2s", "how often the lease is renewed", type=_duration)


def _serving_flags(reader: _Reader) -> None:
    reader.add("http-host", "0.0.0.0", "address of /healthz, /readyz and /metrics")  # noqa: S104
    reader.add("http-port", 8080, "port of /healthz, /readyz and /metrics", type=_port)
    reader.add("webhook", True, "serve the webhooks", type=_switch)
    reader.add("webhook-host", "0.0.0.0", "address of the webhook")  # noqa: S104
    reader.add("webhook-port", 9443, "port of the webhook", type=_port)
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


class _Reader:
    """Adds flags whose defaults come from the environment."""

    def __init__(self, parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
        self._parser, self._environment = parser, environment

    def add(self, name: str, default: object, text: str, *, type: object = str) -> None:  # noqa: A002 - as argparse's
        variable = _ENV_PREFIX + name.upper().replace("-", "_")
        chosen = self._environment.get(variable) or default
        self._parser.add_argument(f"--{name}", default=chosen, help=text, type=type)  # type: ignore[arg-type]


def _duration(text: str) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", text)
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration above zero, such as 500ms, 30s or 10m")
    return seconds


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above zero")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; 0 takes a free one")
    return int(text)


def _switch(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _level(text: str) -> str:
    if text.lower() not in {"debug", "info", "warning", "error"}:
        raise argparse.ArgumentTypeError(f"{text!r} is none of debug, info, warning, error")
    return text.lower()


def _own_namespace() -> str:
    """Gives the pod's namespace, outside of one the usual one."""
    try:
        return _SERVICE_ACCOUNT_NAMESPACE.read_text().strip() or "sentinel-system"
    except OSError:
        return "sentinel-system"
