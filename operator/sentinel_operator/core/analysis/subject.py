"""Who is measured: the two revisions of one object, and their pods."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

METRICS_PORT = 9090


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A pod that tells its metrics."""

    uid: str
    name: str
    revision: str
    address: str
    port: int = METRICS_PORT

    @property
    def url(self) -> str:
        """Gives where its metrics are."""
        return self.at("/metrics")

    def at(self, path: str) -> str:
        """Gives the address of something that it tells."""
        host = f"[{self.address}]" if ipaddress.ip_address(self.address).version == 6 else self.address
        return f"http://{host}:{self.port}{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One rollout's pair of revisions. `uid` is the object's."""

    uid: str
    namespace: str
    name: str
    canary: str
    stable: str
    targets: tuple[Target, ...] = ()
    """Ready pods of both revisions."""

    def filled(self, text: str) -> str:
        """Puts in what {{name}}, {{namespace}}, {{canary}} and {{stable}} stand for."""
        for word in ("name", "namespace", "canary", "stable"):
            text = text.replace(f"{{{{{word}}}}}", getattr(self, word))
        return text
