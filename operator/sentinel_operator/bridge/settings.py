"""Settings of the bridge's process: flags, each with an environment variable of the same name, each with a default.

Which brain there is, and how it is spoken with, is in SentinelConfig and applies without a restart.
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
    """Everything that is fixed for the life of the process; times in seconds."""

    namespace: str = "sentinel-system"
    kubeconfig: Path | None = None
    context: str | None = None
    identity: str = field(default_factory=flags.identity)
    api_concurrency: int = 16
    api_timeout: float = 30.0
    flush: float = 5.0
    refresh: float = 15.0
    lease: str = "sentinel-bridge"
    lease_duration: float = 15.0
    lease_deadline: float = 10.0
    lease_retry: float = 2.0
    http_host: str = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus come from outside the pod
    http_port: int = 8080
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
    parser = argparse.ArgumentParser(
        prog="python -m sentinel_operator.bridge",
        description=f"The bridge to a brain. {flags.HELP}",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    reader = flags.Reader(parser, environment)
    reader.add("namespace", flags.own_namespace(), "where the lease, the Secrets and, unless told otherwise, plans are")
    reader.add("kubeconfig", None, "a kubeconfig; without one, the pod's service account", type=Path)
    reader.add("context", None, "a context of the kubeconfig")
    reader.add("identity", flags.identity(), "how this replica calls itself in the lease; unique")
    reader.add("log-level", "info", "debug, info, warning or error", type=flags.level)
    reader.add("api-concurrency", 16, "requests to the API server at once, watches apart", type=flags.positive)
    reader.add("api-timeout", "30s", "how long a request to the API server may take", type=flags.duration)
    reader.add("flush", "5s", "how long telemetry and acknowledgements may take after SIGTERM", type=flags.duration)
    reader.add("refresh", "15s", "how often the Secrets are read again", type=flags.duration)
    reader.add("lease", "sentinel-bridge", "name of the lease that elects the one that speaks with the brain")
    reader.add("lease-duration", "15s", "after which others take a silent leader's place", type=flags.duration)
    reader.add("lease-deadline", "10s", "after which a leader that cannot renew stops", type=flags.duration)
    reader.add("lease-retry", "2s", "how often the lease is renewed", type=flags.duration)
    reader.add("http-host", "0.0.0.0", "address of /healthz, /readyz and /metrics")  # noqa: S104
    reader.add("http-port", 8080, "port of /healthz, /readyz and /metrics", type=flags.port)
    settings = Settings(**vars(parser.parse_args(arguments)))
    try:
        _ = settings.election
    except ValueError as error:
        parser.error(str(error))
    return settings
