"""The API server by plain HTTPS requests: with the pod's service account, or with a kubeconfig.

The agent sends one small request every half minute; a client library would take half of the memory that it may use.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_SECONDS = 10.0
_LARGEST = 4 * 2**20

Object = dict[str, Any]


class ApiError(Exception):
    """The API server did not do it; `code` is 0 where no answer came, `after` what it asked to wait."""

    def __init__(self, message: str, *, code: int = 0, after: float = 0.0) -> None:
        super().__init__(message)
        self.code, self.after = code, after


class NoAccess(Exception):  # noqa: N818 - an outcome
    """There are no credentials, or they are incomplete."""


class Api:
    """Requests, one after another, over one connection that is kept."""

    def __init__(self, address: str, context: ssl.SSLContext, token: Path | str) -> None:
        self._address, self._context, self._token = address, context, token
        self._connection: http.client.HTTPSConnection | None = None

    @classmethod
    def open(cls, kubeconfig: Path | None) -> Api:
        """Reads the credentials; raises NoAccess."""
        try:
            return _of_kubeconfig(kubeconfig) if kubeconfig else _of_pod()
        except (OSError, KeyError, IndexError, TypeError, ValueError, yaml.YAMLError) as error:
            where = kubeconfig or "the pod's service account"
            raise NoAccess(f"{where}: {type(error).__name__}: {error}") from error

    def get(self, path: str) -> Object:
        """Reads an object."""
        return self._send("GET", path)

    def apply(self, path: str, manifest: Object, *, manager: str) -> Object:
        """Applies an intent whole, server-side."""
        query = urlencode({"fieldManager": manager, "force": "true"})
        return self._send("PATCH", f"{path}?{query}", manifest, content="application/apply-patch+yaml")

    def merge(self, path: str, patch: Object, *, manager: str) -> Object:
        """Merges a patch; a resourceVersion in it must still be the object's."""
        query = urlencode({"fieldManager": manager})
        return self._send("PATCH", f"{path}?{query}", patch, content="application/merge-patch+json")

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, body: Object | None = None, *, content: str = "") -> Object:
        headers = {"Accept": "application/json", "User-Agent": "sentinel-agent", **self._authorization()}
        if content:
            headers["Content-Type"] = content
        try:
            code, after, answer = self._exchange(method, path, json.dumps(body) if body else None, headers)
            decoded = json.loads(answer or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise ApiError(f"{method} {path}: {type(error).__name__}: {error}") from error
        if not 200 <= code < 300:
            message = decoded.get("message", "") if isinstance(decoded, dict) else ""
            raise ApiError(f"{method} {path.partition('?')[0]}: {code} {message}", code=code, after=after)
        return dict(decoded)

    def _exchange(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[int, float, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(self._address, context=self._context, timeout=_SECONDS)
        self._connection.request(method, path, body, dict(headers))
        answer = self._connection.getresponse()
        text = answer.read(_LARGEST)
        after = answer.headers.get("Retry-After", "")
        if answer.will_close:
            self.close()
        return answer.status, min(300.0, float(after)) if after.isdecimal() else 0.0, text

    def _authorization(self) -> dict[str, str]:
        """The kubelet renews the token in its file."""
        try:
            token = self._token.read_text().strip() if isinstance(self._token, Path) else self._token
        except OSError as error:
            raise ApiError(f"{self._token}: {error}") from error
        return {"Authorization": f"Bearer {token}"} if token else {}


def _of_pod() -> Api:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    context = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    return Api(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", context, _ACCOUNT / "token")


def _of_kubeconfig(path: Path) -> Api:
    config = yaml.safe_load(path.read_text())
    chosen = config.get("current-context") or config["contexts"][0]["name"]
    (context,) = (each["context"] for each in config["contexts"] if each["name"] == chosen)
    (cluster,) = (each["cluster"] for each in config["clusters"] if each["name"] == context["cluster"])
    (user,) = (each["user"] for each in config["users"] if each["name"] == context["user"])
    with tempfile.TemporaryDirectory() as folder:
        authority = _file(cluster, "certificate-authority", Path(folder))
        tls = ssl.create_default_context(cafile=str(authority) if authority else None)
        certificate, key = (_file(user, name, Path(folder)) for name in ("client-certificate", "client-key"))
        if certificate:
            tls.load_cert_chain(certificate, key)
    token: Path | str = Path(user["tokenFile"]) if "tokenFile" in user else user.get("token", "")
    return Api(urlsplit(cluster["server"]).netloc, tls, token)


def _file(entry: Mapping[str, str], name: str, folder: Path) -> Path | None:
    if name in entry:
        return Path(entry[name])
    if f"{name}-data" not in entry:
        return None
    path = folder / name
    path.write_bytes(base64.b64decode(entry[f"{name}-data"]))
    return path
