"""Keys, tokens, rates and certificates, on both ports of a server as shipped."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tritonclient.utils import InferenceServerException

from sentinel_operator.api.serving import ExitCode
from tests.integration.model_server.process import ModelServer, lay_out, serving, tabular
from tests.unit.model_server import graphs

BODY = {"features": {"a": 1, "b": 2, "c": 3}}


def config(**access: Any) -> dict[str, Any]:
    return tabular("a b c", "x y", access=access)


def mount(folder: Path, **entries: bytes | str) -> Path:
    """Makes, or swaps in one step as the kubelet does, a mounted Secret."""
    folder.mkdir(exist_ok=True)
    version = folder / f"..{time.monotonic_ns()}"
    version.mkdir()
    for name, content in entries.items():
        path = version / name.replace("_", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if not (folder / path.name).is_symlink():
            (folder / path.name).symlink_to(f"..data/{path.name}")
    (folder / "..new").symlink_to(version.name)
    (folder / "..new").rename(folder / "..data")
    return folder


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def tensor(module) -> Any:
    made = module.InferInput("x", [1, 3], "FP32")
    made.set_data_from_numpy(np.array([[0, 5, 0]], np.float32))
    return made


def test_api_keys(tmp_path: Path):
    keys = mount(tmp_path / "keys", ci=digest("one"), web=digest("two"))
    with serving(tmp_path / "m", graphs.linear_classifier(3, 2), config(apiKeysDir=str(keys))) as server:
        for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/demo"):
            assert server.ask(path)[0] == 200
        assert server.metrics()["sentinel_model_server_ready"] == 1
        status, _, headers = server.ask("/v1/predict", BODY)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert server.ask("/v1/predict", BODY, X_API_Key="three")[0] == 401
        assert server.ask("/v1/predict", BODY, X_API_Key="one")[0] == 200
        assert server.ask("/v1/predict", BODY, Authorization="Bearer two")[0] == 200

        client = triton_grpc.InferenceServerClient(server.grpc)
        assert client.is_server_ready()
        with pytest.raises(InferenceServerException) as refused:
            client.infer("demo", [tensor(triton_grpc)])
        assert refused.value.status() == "StatusCode.UNAUTHENTICATED"
        assert client.infer("demo", [tensor(triton_grpc)], headers={"x-api-key": "one"}).as_numpy("scores").shape == (
            1,
            2,
        )
        client.close()

        mount(keys, ci=digest("new"), web=digest("two"))
        server.until(lambda: server.ask("/v1/predict", BODY, X_API_Key="new")[0] == 200, "read again")
        assert server.ask("/v1/predict", BODY, X_API_Key="one")[0] == 401
        assert "new" not in json.dumps([entry for entry in server.log if entry.get("level") != "info"])


def test_tokens(tmp_path: Path):
    key = ec.generate_private_key(ec.SECP256R1())
    entry = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())), "kid": "k"}
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [entry]}))
    access = {"issuer": "https://issuer", "audience": "models", "jwksFile": str(tmp_path / "jwks.json")}
    claims = {"iss": "https://issuer", "aud": "models", "sub": "alice", "exp": time.time() + 600}
    good = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "k"})
    stale = jwt.encode({**claims, "exp": time.time() - 60}, key, algorithm="ES256", headers={"kid": "k"})
    with serving(tmp_path / "m", graphs.linear_classifier(3, 2), config(jwt=access)) as server:
        assert server.ask("/v1/predict", BODY, Authorization=f"Bearer {good}")[0] == 200
        assert server.ask("/v1/predict", BODY, Authorization=f"Bearer {stale}")[0] == 401
        assert server.ask("/v1/predict", BODY, X_API_Key=good)[0] == 401


def test_a_rate_for_each_client(tmp_path: Path):
    keys = mount(tmp_path / "keys", ci=digest("one"), web=digest("two"))
    access = config(apiKeysDir=str(keys), requestsPerSecond=0.01, burst=3)
    with serving(tmp_path / "m", graphs.linear_classifier(3, 2), access) as server:
        assert [server.ask("/v1/predict", BODY, X_API_Key="one")[0] for _ in range(4)] == [200, 200, 200, 429]
        status, _, headers = server.ask("/v1/predict", BODY, X_API_Key="one")
        assert status == 429
        assert 90 <= int(headers["retry-after"]) <= 100
        assert server.ask("/v1/predict", BODY, X_API_Key="two")[0] == 200
        client = triton_grpc.InferenceServerClient(server.grpc)
        with pytest.raises(InferenceServerException) as refused:
            client.infer("demo", [tensor(triton_grpc)], headers={"x-api-key": "one"})
        assert refused.value.status() == "StatusCode.RESOURCE_EXHAUSTED"
        client.close()


def certificate(name: str) -> dict[str, bytes]:
    """A self-signed certificate for the loopback address."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return {"tls_crt": made.public_bytes(pem), "tls_key": private}


def shown(server: ModelServer, port: str) -> str:
    """Gives the common name of the certificate that a port shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if port == "grpc":
        context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", server.ports[port])) as plain, context.wrap_socket(plain) as secure:
        found = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
    return str(found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


def test_tls_and_its_renewal(tmp_path: Path):
    first = certificate("first")
    secret = mount(tmp_path / "tls", **first)
    root = tmp_path / "root.pem"
    root.write_bytes(first["tls_crt"])
    with serving(tmp_path / "m", graphs.linear_classifier(3, 2), config(tlsDir=str(secret))) as server:
        over_http = triton_http.InferenceServerClient(
            server.http, ssl=True, ssl_options={"ca_certs": str(root)}, insecure=False
        )
        assert over_http.infer("demo", [tensor(triton_http)]).as_numpy("scores").shape == (1, 2)
        over_grpc = triton_grpc.InferenceServerClient(server.grpc, ssl=True, root_certificates=str(root))
        assert over_grpc.infer("demo", [tensor(triton_grpc)]).as_numpy("scores").shape == (1, 2)
        assert (shown(server, "http"), shown(server, "grpc")) == ("first", "first")

        mount(secret, tls_crt=b"half of it", tls_key=b"")
        server.says("not used")
        assert (shown(server, "http"), shown(server, "grpc")) == ("first", "first")

        mount(secret, **certificate("second"))
        server.until(lambda: (shown(server, "http"), shown(server, "grpc")) == ("second", "second"), "renewed")
        assert over_http.infer("demo", [tensor(triton_http)]).as_numpy("scores").shape == (1, 2)
        assert server.metrics()["sentinel_model_server_ready"] == 1
        over_http.close()
        over_grpc.close()
        server.terminate()
        assert server.wait() == 0


@pytest.mark.parametrize(
    ("access", "field"),
    [
        ({"apiKeysDir": "{}/missing"}, "spec.access.auth"),
        ({"jwt": {"issuer": "i", "audience": "a", "jwksFile": "{}/missing"}}, "spec.access.auth"),
        ({"tlsDir": "{}/missing"}, "spec.access.tls.secretRef"),
    ],
)
def test_broken_access_is_never_open_access(tmp_path: Path, access: dict[str, Any], field: str):
    written = json.loads(json.dumps(config(**access)).replace("{}", str(tmp_path)))
    server = ModelServer(lay_out(tmp_path / "m", graphs.linear_classifier(3, 2), written))
    try:
        assert server.wait() == ExitCode.InvalidConfig
        assert server.told()["field"] == field
    finally:
        server.kill()
