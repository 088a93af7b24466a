"""Certificates that servers and clients of the cluster accept."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509

from devcluster.pki import Pki


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki.create(tmp_path / "pki")


def _handshake(pki: Pki, *, host: str) -> str:
    """Connects with a client's certificate and gives the name that the server saw."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pki.folder / "server.crt", pki.folder / "server.key")
    server_side.load_verify_locations(pki.folder / "ca.crt")
    server_side.verify_mode = ssl.CERT_REQUIRED
    client_side = ssl.create_default_context(cafile=str(pki.folder / "ca.crt"))
    client_side.load_cert_chain(pki.folder / "client.crt", pki.folder / "client.key")
    seen: list[str] = []
    near, far = socket.socketpair()

    def serve() -> None:
        try:
            with server_side.wrap_socket(far, server_side=True) as connection:
                certificate = connection.getpeercert(binary_form=True)
                assert certificate
                seen.append(x509.load_der_x509_certificate(certificate).subject.rfc4514_string())
                connection.recv(1)
        except (ssl.SSLError, OSError):
            far.close()

    server = threading.Thread(target=serve)
    server.start()
    try:
        with client_side.wrap_socket(near, server_hostname=host) as connection:
            connection.send(b".")
    finally:
        near.close()
        server.join()
    return seen[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "kubernetes.default.svc"])
def test_a_server_is_what_it_says_and_sees_who_asks(pki: Pki, host: str):
    pki.issue("server", name="kube-apiserver", addresses=["127.0.0.1", "kubernetes.default.svc"])
    pki.issue("client", name="system:node:node-1", groups=["system:nodes"])

    assert _handshake(pki, host=host) == "CN=system:node:node-1,O=system:nodes"


def test_another_name_is_refused(pki: Pki):
    pki.issue("server", name="kube-apiserver", addresses=["127.0.0.1"])
    pki.issue("client", name="admin")

    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(pki, host="127.0.0.2")


def test_keys_are_the_owners_alone(pki: Pki):
    pki.issue("admin", name="admin")

    for key in pki.folder.glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key.name
