"""The bridge to a brain: where it is, how each knows the other, what it is told."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from sentinel_operator.api.actionplan import Source
from sentinel_operator.api.analysis import Authorization, Timeout, Url
from sentinel_operator.api.artifact import PUBLIC_PEM
from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import Duration, Label, Name, between, list_map, list_set
from sentinel_operator.api.pod import SecretKeyRef
from sentinel_operator.api.rules import CEL, matching, rules

HOST_PORT = r"^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$"
WEB = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"
METRIC_NAME = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"
MOST_POINTS = 200_000
_HOST = r"^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$"
_TRUST = ("caBundle", "caSecretRef", "clientCertificateSecretRef", "serverName")


class TlsSecretRef(Model):
    """Names a Secret of type kubernetes.io/tls in the operator's namespace."""

    name: Name


class BridgeTls(Model):
    """How the brain proves who it is. Without any of it, by a certificate under the authorities of the operator's
    image."""

    ca_bundle: Annotated[str, Field(max_length=65536), PUBLIC_PEM] | None = None
    """Certificates (PEM) that the brain's is to be under."""
    ca_secret_ref: SecretKeyRef | None = None
    """The same from a Secret of the operator's namespace."""
    client_certificate_secret_ref: TlsSecretRef | None = None
    """What the bridge shows of itself."""
    server_name: (
        Annotated[str, Field(max_length=253), rules(matching(_HOST, "must be the name of a host, without a port"))]
        | None
    ) = None
    """The name in the brain's certificate, where it is not the endpoint's host."""
    plaintext: bool = False
    """No TLS at all: whoever is on the way reads and changes what is said, the token included."""


BRIDGE_TLS_RULES = rules(
    CEL(
        rule="!has(self.caBundle) || !has(self.caSecretRef)",
        message="must be left out where caBundle is set",
        holds=lambda value: value.ca_bundle is None or value.ca_secret_ref is None,
        field="caSecretRef",
    ),
    CEL(
        rule=f"!self.plaintext || !({' || '.join(f'has(self.{each})' for each in _TRUST)})",
        message="must be false where certificates are spoken of",
        holds=lambda value: (
            not value.plaintext
            or (value.ca_bundle, value.ca_secret_ref, value.client_certificate_secret_ref, value.server_name)
            == (None, None, None, None)
        ),
        field="plaintext",
    ),
)


class BridgePrometheus(Model):
    """An instant query of the Prometheus HTTP API. Each series of its answer becomes a point with its labels."""

    address: Url
    """Without /api/v1, for example http://prometheus.monitoring:9090."""
    query: Annotated[str, Field(min_length=1, max_length=2048)]
    timeout: Timeout = "10s"
    authorization: Authorization | None = None
    """The Secret is read in the operator's own namespace."""


class BridgeMetric(Model):
    """One more metric that the brain is told, beside those that the bridge reads from the cluster itself."""

    name: Annotated[
        str, Field(min_length=1, max_length=128), rules(matching(METRIC_NAME, "must be the name of a metric"))
    ]
    prometheus: BridgePrometheus


class Batching(Model):
    """When points are sent, and how many are kept while they cannot be."""

    max_points: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """A batch is sent when it holds so many."""
    max_age: Annotated[str, Field(max_length=32), between("1s", "1h")] = "30s"
    """Or when its oldest point was taken so long ago."""
    kept: Annotated[int, Field(ge=1, le=10_000)] = 60
    """Batches that wait to be sent. The oldest is dropped, and counted, for one more."""


BATCHING_RULES = rules(
    CEL(
        rule=f"self.maxPoints * self.kept <= {MOST_POINTS}",
        message=f"must be at most {MOST_POINTS} divided by maxPoints: that many points are kept in memory",
        holds=lambda value: value.max_points * value.kept <= MOST_POINTS,
        field="kept",
    )
)


class Bridge(Model):
    """A program that watches the cluster and proposes ActionPlans: a brain. Telemetry goes to it, its plans become
    ActionPlans, and what became of them goes back. Needs the bridge of manifests/bridge."""

    endpoint: Annotated[str, Field(min_length=1, max_length=512)]
    """gRPC: HOST:PORT. HTTP: a URL, below which are /api/telemetry, /api/optimize and /api/feedback."""
    protocol: Literal["gRPC", "HTTP"] = "gRPC"
    """gRPC: sentinel.v1.DecisionService."""
    tls: Annotated[BridgeTls, BRIDGE_TLS_RULES] = BridgeTls()
    token_secret_ref: SecretKeyRef | None = None
    """Sent as `authorization: Bearer`. A Secret of the operator's namespace; a new value is in use within 15 s."""
    poll_interval: Annotated[str, Field(max_length=32), between("1s", "1h")] = "30s"
    """How often plans are asked for where they are not streamed."""
    namespace: Label | None = None
    """Of the ActionPlans. Absent: the operator's, whose plans may point everywhere. In another one the bridge needs a
    Role like its own."""
    source: Source | None = None
    """In whose name plans are proposed: one that an ActionPolicy gives to the bridge's user. Absent: the user's own."""
    filters: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=32), list_set()] | None
    ) = None
    """Told to a brain that streams plans. What it makes of them is its own affair: policies bound what is done."""
    plans_per_minute: Annotated[int, Field(ge=1, le=60_000)] = 600
    """New plans that are taken. Those beyond are refused, and the brain is told so."""
    interval: Duration = "30s"
    """How often points are taken."""
    metrics: Annotated[list[BridgeMetric], Field(max_length=64), list_map("name")] | None = None
    batch: Annotated[Batching, BATCHING_RULES] = Batching()


BRIDGE_RULES = rules(
    CEL(
        rule=f"self.protocol != 'gRPC' || self.endpoint.matches(r'{HOST_PORT}')",
        message="must be HOST:PORT when protocol is gRPC",
        holds=lambda value: value.protocol != "gRPC" or re.fullmatch(HOST_PORT, value.endpoint) is not None,
        field="endpoint",
    ),
    CEL(
        rule=f"self.protocol != 'HTTP' || self.endpoint.matches(r'{WEB}')",
        message="must be https:// and a host when protocol is HTTP, without credentials, query or fragment",
        holds=lambda value: value.protocol != "HTTP" or re.fullmatch(WEB, value.endpoint) is not None,
        field="endpoint",
    ),
    CEL(
        rule="self.protocol != 'HTTP' || self.endpoint.startsWith('http://') == self.tls.plaintext",
        message="must begin with http:// when tls.plaintext is true, and with https:// otherwise",
        holds=lambda value: value.protocol != "HTTP" or value.endpoint.startswith("http://") == value.tls.plaintext,
        field="endpoint",
    ),
)
