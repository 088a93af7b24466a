"""Signs statements into sigstore bundles: with a private key, or keyless with a short-lived certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, assert_never

from sentinel_operator.api.scanning import Signing
from sentinel_workloads.signature import keys
from sentinel_workloads.signature.envelope import Envelope, key_bundle, pae

if TYPE_CHECKING:
    from sigstore.oidc import IdentityToken


class SigningError(Exception):
    """Nothing was signed; the message says why, `field` where the user looks."""

    def __init__(self, message: str, *, field: str = "spec.signing") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Signature:
    """A sigstore bundle, and who signed: the fingerprint of a key, or the identity that a certificate states."""

    bundle: bytes
    identity: str


class Signer(Protocol):
    """Whoever signs."""

    def sign(self, statement: bytes) -> Signature:
        """A bundle over exactly these bytes; SigningError when there can be none."""
        ...


class KeySigner:
    """Signs with a private key in PEM: P-256, P-384, P-521 or Ed25519."""

    def __init__(self, pem: bytes) -> None:
        try:
            self._key = keys.private_key(pem)
        except ValueError as error:
            raise SigningError(f"the signing key cannot be used: {error}", field="spec.signing.key") from error

    def sign(self, statement: bytes) -> Signature:
        """A bundle that names the key by its hint."""
        public = self._key.public_key()
        envelope = Envelope(statement, keys.sign(self._key, pae(statement)))
        return Signature(key_bundle(envelope, hint=keys.hint(public)), keys.fingerprint(public))


class KeylessSigner:
    """Signs with a key that lives for one signature, under a certificate that Fulcio gives for an identity token."""

    def __init__(self, token_file: Path, trust_config: Path | None = None) -> None:
        from sigstore.models import ClientTrustConfig  # noqa: PLC0415 - costs a second

        self._token_file = token_file
        with _explained("keyless signing cannot begin"):
            self._config = (
                ClientTrustConfig.from_json(trust_config.read_text())
                if trust_config
                else ClientTrustConfig.production()
            )
        self._token()

    def sign(self, statement: bytes) -> Signature:
        """A bundle with the certificate and the transparency log's proof."""
        from sigstore.dsse import Statement  # noqa: PLC0415 - costs a second
        from sigstore.sign import SigningContext  # noqa: PLC0415

        from sentinel_workloads.signature.identity import subjects_of  # noqa: PLC0415

        with _explained("the certificate authority or the log did not do its part"):
            context = SigningContext.from_trust_config(self._config)
            with context.signer(self._token()) as signer:
                bundle = signer.sign_dsse(Statement(statement))
            return Signature(bundle.to_json().encode(), subjects_of(bundle.signing_certificate)[0])

    def _token(self) -> IdentityToken:
        """As it lies in the file now: the kubelet renews it."""
        from sigstore.oidc import IdentityToken  # noqa: PLC0415 - costs a second

        with _explained("the identity token cannot be used"):
            return IdentityToken(self._token_file.read_text().strip())


def signer_of(signing: Signing) -> Signer | None:
    """Who signs, ready to; None when nobody shall."""
    match signing.type:
        case "None":
            return None
        case "Key":
            try:
                pem = Path(signing.key_file).read_bytes()
            except OSError as error:
                message = f"the signing key cannot be read: {error.strerror}"
                raise SigningError(message, field="spec.signing.key") from error
            return KeySigner(pem)
        case "Keyless":
            config = Path(signing.trust_config_file) if signing.trust_config_file else None
            return KeylessSigner(Path(signing.token_file), config)
        case _:
            assert_never(signing.type)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """The libraries raise all kinds of errors: each becomes one that names what it stopped."""
    try:
        yield
    except SigningError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:500] or type(error).__name__
        raise SigningError(f"{what}: {said}", field="spec.signing.keyless") from error
