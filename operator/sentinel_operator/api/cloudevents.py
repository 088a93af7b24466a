"""Where the transitions of ActionPlans are sent as CloudEvents."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sentinel_operator.api.artifact import PUBLIC_PEM
from sentinel_operator.api.base import Model
from sentinel_operator.api.pod import SecretKeyRef
from sentinel_operator.api.rules import at_most_one, matching, rules

_LOOPBACK = r"localhost|127[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}|\[::1\]"
_SERVICE = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?[.]svc([.]cluster[.]local)?"
ENDPOINT = rf"^(https://[^\s/?#@]+|http://({_LOOPBACK}|{_SERVICE})(:[0-9]{{1,5}})?)([/?][^\s#]*)?$"


class CloudEvents(Model):
    """Every transition of every ActionPlan is posted there as a CloudEvent 1.0 (application/cloudevents+json), at least
    once and in the plan's order. A repeated delivery has the same id."""

    endpoint: Annotated[
        str,
        Field(max_length=1024),
        rules(
            matching(
                ENDPOINT,
                "must be https:// and a host (http:// only for localhost, 127.0.0.1, [::1] and names that end in .svc "
                "or .svc.cluster.local), without credentials or fragment",
            )
        ),
    ]
    ca_bundle: Annotated[str, Field(max_length=65536), PUBLIC_PEM] | None = None
    """Certificates (PEM) that the endpoint's is to be under. Absent: those of the operator's image."""
    ca_secret_ref: SecretKeyRef | None = None
    """The same from a Secret. It and the token's are in the operator's namespace and must bear the label
    sentinel.dev/cloudevents: "true"; a Role must let the operator read them."""
    token_secret_ref: SecretKeyRef | None = None
    """The value is sent as Authorization: Bearer. It is read again after 30 s, so a new one needs no restart."""


CLOUD_EVENTS_RULES = rules(at_most_one("caBundle", "caSecretRef"))
