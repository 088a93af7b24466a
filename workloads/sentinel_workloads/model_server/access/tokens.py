"""Bearer tokens, checked against a key set from a file: nothing is asked over the network."""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import jwt

from sentinel_operator.api.serving import JwtAccess

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""No symmetric ones: with those, who can check a token can make one."""
MAX_CACHED = 1024
LEEWAY_SECONDS = 30


class Tokens:
    """The issuer's keys. `load` may be called again whenever the file changes."""

    def __init__(self, access: JwtAccess) -> None:
        self._access = access
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._checked: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def load(self) -> None:
        """Reads the key set; ValueError when it is none, and the keys of before stay valid."""
        try:
            entries: list[dict[str, Any]] = json.loads(Path(self._access.jwks_file).read_bytes())["keys"]
            keys = [jwt.PyJWK(entry) for entry in entries if entry.get("kty") != "oct"]
        except (KeyError, TypeError, ValueError, jwt.PyJWTError) as error:
            raise ValueError(f"{self._access.jwks_file} is not a JSON Web Key Set: {error}") from error
        if not keys:
            raise ValueError(f"{self._access.jwks_file} holds no public key")
        self._keys = {key.key_id: key for key in keys}
        self._checked.clear()

    def client_of(self, token: str) -> str | None:
        """Gives the token's subject, or None when it is not valid now. A valid one is remembered until it expires."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._checked.get(digest)
        if known is not None and known[1] > time.time():
            return known[0]
        claims = self._claims(token)
        if claims is None:
            return None
        client = str(claims["sub"])
        self._checked[digest] = (client, float(claims["exp"]))
        if len(self._checked) > MAX_CACHED:
            self._checked.popitem(last=False)
        return client

    def _claims(self, token: str) -> dict[str, Any] | None:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            return None
        candidates = (
            list(self._keys.values()) if key_id is None else [self._keys[key_id]] if key_id in self._keys else []
        )
        for key in candidates:
            try:
                claims: dict[str, Any] = jwt.decode(
                    token,
                    key,
                    algorithms=[name for name in ALGORITHMS if name == key.algorithm_name],
                    issuer=self._access.issuer,
                    audience=self._access.audience,
                    leeway=LEEWAY_SECONDS,
                    options={"require": ["exp", "iss", "aud", "sub"]},
                )
            except jwt.PyJWTError:
                continue
            return claims
        return None
