"""TLS from a mounted Secret: new connections see the new certificate, old ones live on."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

CERTIFICATE, KEY = "tls.crt", "tls.key"


class Certificates:
    """tls.crt and tls.key of a directory, for the HTTP listener and for gRPC."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self.load()

    def load(self) -> None:
        """Reads the pair; ValueError or OSError when it is none, and the pair of before stays in use."""
        certificate, key = self.directory / CERTIFICATE, self.directory / KEY
        trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # A half-written pair must not touch the context in use.
        try:
            trial.load_cert_chain(certificate, key)
        except ssl.SSLError as error:
            raise ValueError(f"{self.directory} holds no certificate with its key: {error}") from error
        self.context.load_cert_chain(certificate, key)
        self._pair = (key.read_bytes(), certificate.read_bytes())

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Gives credentials that ask for the pair at each handshake."""
        return grpc.dynamic_ssl_server_credentials(
            grpc.ssl_server_certificate_configuration([self._pair]),
            lambda: grpc.ssl_server_certificate_configuration([self._pair]),
            require_client_authentication=False,
        )
