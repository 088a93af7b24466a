"""The API server as a test speaks to it: plain requests, and kubectl where kubectl's behaviour is the point."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from sentinel_operator.api.kinds import Kind

_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs kubectl; a failure raises AssertionError with what it said."""

    command: tuple[str, ...]

    def run(self, *arguments: str, stdin: str = "", fails: bool = False) -> str:
        """Gives stdout, or stderr where it is meant to fail."""
        done = self._done(arguments, stdin)
        assert (done.returncode != 0) == fails, f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stderr if fails else done.stdout

    def said(self, *arguments: str, stdin: str = "") -> str:
        """Gives everything that a person would have seen."""
        done = self._done(arguments, stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def _done(self, arguments: tuple[str, ...], stdin: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *arguments], input=stdin, capture_output=True, text=True, timeout=120, check=False
        )


class Client:
    """One connection with the credentials of a kubeconfig, or with a token in their place."""

    def __init__(self, kubeconfig: Path, *, token: str = "") -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        with tempfile.TemporaryDirectory() as folder:
            ca = _file(cluster, "certificate-authority", Path(folder))
            self._context = ssl.create_default_context(cafile=str(ca))
            if not token:
                certificate, key = (_file(user, name, Path(folder)) for name in ("client-certificate", "client-key"))
                self._context.load_cert_chain(certificate, key)
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._address = urlsplit(cluster["server"]).netloc
        self._connection = http.client.HTTPSConnection(self._address, context=self._context, timeout=_SECONDS)

    def close(self) -> None:
        self._connection.close()

    def request(
        self, method: str, path: str, body: Any = None, *, content: str = "application/json"
    ) -> tuple[int, Any]:
        """Gives the status and the answer."""
        headers = {"Content-Type": content, "Accept": "application/json", **self._authorization}
        self._connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")

    def ok(self, method: str, path: str, body: Any = None, *, content: str = "application/json") -> Any:
        """Gives the answer; anything but success is an AssertionError."""
        status, answer = self.request(method, path, body, content=content)
        assert status < 300, answer
        return answer

    def apply(self, kind: Kind, namespace: str, manifest: Any, *, query: str = "") -> Any:
        """Applies server-side, as GitOps tools do."""
        path = f"{collection(kind, namespace)}/{manifest['metadata']['name']}?fieldManager=git{query}"
        return self.ok("PATCH", path, manifest, content="application/apply-patch+yaml")

    def causes(self, kind: Kind, namespace: str, manifest: Any) -> set[tuple[str, str]]:
        """Gives field and sentence of each reason for which the object is refused; empty when it is accepted."""
        status, answer = self.request(
            "POST", f"{collection(kind, namespace)}?dryRun=All&fieldValidation=Strict", manifest
        )
        if status < 300:
            return set()
        assert status == 422, answer
        return {(cause["field"], cause["message"]) for cause in answer["details"]["causes"]}


def collection(kind: Kind, namespace: str) -> str:
    """Gives the path of a kind's objects."""
    scope = f"/namespaces/{namespace}" if kind.namespaced else ""
    return f"/apis/{kind.api_version}{scope}/{kind.plural}"


def _file(entry: dict[str, str], name: str, folder: Path) -> Path:
    if name in entry:
        return Path(entry[name])
    path = folder / name
    path.write_bytes(base64.b64decode(entry[f"{name}-data"]))
    return path
