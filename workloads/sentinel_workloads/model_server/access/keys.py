"""API keys, known only by their SHA-256: a mounted Secret with one entry a client."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class ApiKeys:
    """The clients' keys. `load` may be called again whenever the Secret changes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._clients: tuple[tuple[str, bytes], ...] = ()

    def load(self) -> None:
        """Reads all entries; ValueError when one is not a SHA-256, and the keys of before stay valid."""
        clients = []
        for path in sorted(self._directory.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue  # The kubelet's own links.
            found = DIGEST.fullmatch(path.read_text().strip().lower())
            if found is None:
                raise ValueError(f"the entry {path.name!r} is not the SHA-256 hex digest of a key")
            clients.append((path.name, bytes.fromhex(found[1])))
        self._clients = tuple(clients)

    def client_of(self, key: str) -> str | None:
        """Gives the name of the key's holder. Takes as long for a wrong key as for a right one."""
        digest = hashlib.sha256(key.encode()).digest()
        found = None
        for name, wanted in self._clients:
            if hmac.compare_digest(digest, wanted):
                found = name
        return found
