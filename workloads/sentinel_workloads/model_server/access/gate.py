"""Who may call, and how often."""

from __future__ import annotations

from sentinel_workloads.model_server.access.keys import ApiKeys
from sentinel_workloads.model_server.access.rate import RateLimit
from sentinel_workloads.model_server.access.tokens import Tokens
from sentinel_workloads.model_server.refusal import Cause, Refusal

BEARER = "bearer "


class Gate:
    """Knows clients by API key or token where access is configured, else by address; admits each at its rate."""

    def __init__(self, *, keys: ApiKeys | None, tokens: Tokens | None, rate: RateLimit | None) -> None:
        self._keys, self._tokens, self._rate = keys, tokens, rate
        self.open = keys is None and tokens is None and rate is None
        """True when everybody may call as often as they like."""

    def admit(self, *, api_key: str, authorization: str, peer: str) -> str:
        """Gives the client's name, or refuses: 401 without saying why, 429 with the time to wait."""
        if self.open:
            return peer
        client = peer
        if self._keys is not None or self._tokens is not None:
            bearer = authorization[len(BEARER) :].strip() if authorization[: len(BEARER)].lower() == BEARER else ""
            known = self._client(api_key, bearer)
            if known is None:
                raise Refusal(Cause.UNAUTHENTICATED, "a valid API key or token is required")
            client = known
        if self._rate is not None and (wait := self._rate.wait(client)):
            raise Refusal(Cause.RATE_LIMITED, "too many requests from this client", retry_after=wait)
        return client

    def reload(self) -> None:
        """Reads keys and tokens again; ValueError or OSError when they are broken."""
        if self._keys is not None:
            self._keys.load()
        if self._tokens is not None:
            self._tokens.load()

    def _client(self, api_key: str, bearer: str) -> str | None:
        if self._keys is not None:
            for key in (api_key, bearer):
                if key and (client := self._keys.client_of(key)) is not None:
                    return client
        if self._tokens is not None and bearer:
            return self._tokens.client_of(bearer)
        return None
