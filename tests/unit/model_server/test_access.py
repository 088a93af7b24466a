"""Who may call: keys known by their digest, tokens checked offline, and a rate for each client."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sentinel_operator.api.serving import JwtAccess
from sentinel_workloads.model_server.access.gate import Gate
from sentinel_workloads.model_server.access.keys import ApiKeys
from sentinel_workloads.model_server.access.rate import MAX_CLIENTS, RateLimit
from sentinel_workloads.model_server.access.tokens import Tokens
from sentinel_workloads.model_server.refusal import Cause, Refusal

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeys:
    """Two clients, in a folder as the kubelet mounts a Secret."""
    data = tmp_path / "..2026_01"
    data.mkdir()
    (data / "ci").write_text(digest("ci-secret"))
    (data / "web").write_text(f"sha256:{digest('web-secret').upper()}\n")
    (tmp_path / "..data").symlink_to(data.name)
    for name in ("ci", "web"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    made = ApiKeys(tmp_path)
    made.load()
    return made


def test_a_key_names_its_client(keys: ApiKeys):
    assert keys.client_of("ci-secret") == "ci"
    assert keys.client_of("web-secret") == "web"
    assert keys.client_of("CI-SECRET") is None
    assert keys.client_of(digest("ci-secret")) is None
    assert keys.client_of("") is None


def test_a_broken_entry_is_refused_and_the_keys_of_before_stay(keys: ApiKeys, tmp_path: Path):
    (tmp_path / "new").write_text("in the clear")
    with pytest.raises(ValueError, match="'new'"):
        keys.load()
    assert keys.client_of("ci-secret") == "ci"
    (tmp_path / "new").write_text(digest("new-secret"))
    keys.load()
    assert keys.client_of("new-secret") == "new"


def jwk(key: Any, kid: str | None) -> dict[str, Any]:
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    entry = json.loads(algorithm.to_jwk(key.public_key()))
    return {**entry, **({"kid": kid} if kid else {})}


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    """An issuer with an RSA and an EC key."""
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [jwk(RSA_KEY, "r"), jwk(EC_KEY, "e")]}))
    made = Tokens(JwtAccess(issuer="https://issuer", audience="models", jwks_file=str(path)))
    made.load()
    return made


def a_token(key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "r", **changes: Any) -> str:
    claims = {"iss": "https://issuer", "aud": "models", "sub": "alice", "exp": time.time() + 600, **changes}
    return jwt.encode(
        {name: value for name, value in claims.items() if value is not None},
        key,
        algorithm=algorithm,
        headers={"kid": kid} if kid else {},
    )


def test_a_good_token_names_its_client_again_and_again(tokens: Tokens):
    for token in (a_token(), a_token(EC_KEY, "ES256", "e"), a_token(kid=None), a_token(aud=["other", "models"])):
        assert tokens.client_of(token) == "alice"
        assert tokens.client_of(token) == "alice"


BAD_TOKENS = {
    "another issuer": lambda: a_token(iss="https://else"),
    "another audience": lambda: a_token(aud="else"),
    "expired": lambda: a_token(exp=time.time() - 60),
    "not yet valid": lambda: a_token(nbf=time.time() + 600),
    "no expiry": lambda: a_token(exp=None),
    "no subject": lambda: a_token(sub=None),
    "an unknown key id": lambda: a_token(kid="z"),
    "another's key": lambda: a_token(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "the key of another algorithm": lambda: a_token(EC_KEY, "ES256", "r"),
    "no signature": lambda: a_token("", "none"),
    "the public key as a shared secret": lambda: a_token("x" * 64, "HS256"),
    "no token": lambda: "abc",
    "empty": lambda: "",
}


@pytest.mark.parametrize("make", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_a_bad_token_names_nobody(tokens: Tokens, make):
    assert tokens.client_of(make()) is None


@pytest.mark.parametrize(
    "content", ["", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AAAA"}]}', '{"keys": [{}]}']
)
def test_a_broken_key_set_is_refused_and_the_keys_of_before_stay(tokens: Tokens, tmp_path: Path, content: str):
    (tmp_path / "jwks.json").write_text(content)
    with pytest.raises(ValueError, match=r"jwks\.json"):
        tokens.load()
    assert tokens.client_of(a_token()) == "alice"


def test_a_token_is_forgotten_when_its_key_is_withdrawn(tokens: Tokens, tmp_path: Path):
    token = a_token()
    assert tokens.client_of(token) == "alice"
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [jwk(EC_KEY, "e")]}))
    tokens.load()
    assert tokens.client_of(token) is None


def test_a_client_may_burst_and_then_has_its_rate():
    clock = Clock()
    limit = RateLimit(10.0, 5, clock=clock)
    assert [limit.wait("a") for _ in range(5)] == [0.0] * 5
    assert limit.wait("a") == pytest.approx(0.1)
    assert limit.wait("b") == 0.0
    clock.now += 0.25
    assert [limit.wait("a") for _ in range(3)] == pytest.approx([0.0, 0.0, 0.05])
    clock.now += 3600
    assert [limit.wait("a") for _ in range(6)][:5] == [0.0] * 5


def test_the_number_of_clients_remembered_is_bounded():
    limit = RateLimit(1.0, 1, clock=Clock())
    for number in range(MAX_CLIENTS + 10):
        assert limit.wait(str(number)) == 0.0
    assert limit.wait(str(MAX_CLIENTS + 9)) > 0
    assert limit.wait("0") == 0.0


def test_the_gate_takes_a_key_in_either_header(keys: ApiKeys):
    gate = Gate(keys=keys, tokens=None, rate=None)
    assert gate.admit(api_key="ci-secret", authorization="", peer="p") == "ci"
    assert gate.admit(api_key="", authorization="bearer web-secret", peer="p") == "web"
    for api_key, authorization in (("", ""), ("wrong", ""), ("", "web-secret"), ("", "Basic web-secret")):
        with pytest.raises(Refusal) as refused:
            gate.admit(api_key=api_key, authorization=authorization, peer="p")
        assert refused.value.cause is Cause.UNAUTHENTICATED


def test_the_gate_limits_by_client_not_by_address(keys: ApiKeys):
    gate = Gate(keys=keys, tokens=None, rate=RateLimit(1.0, 1, clock=Clock()))
    gate.admit(api_key="ci-secret", authorization="", peer="p")
    gate.admit(api_key="web-secret", authorization="", peer="p")
    with pytest.raises(Refusal) as refused:
        gate.admit(api_key="ci-secret", authorization="", peer="q")
    assert refused.value.cause is Cause.RATE_LIMITED
    assert refused.value.retry_after == pytest.approx(1.0)


def test_a_gate_without_anything_is_open():
    gate = Gate(keys=None, tokens=None, rate=None)
    assert gate.open
    assert gate.admit(api_key="", authorization="", peer="p") == "p"
