"""A CA chain as authority: the bundle carries the signer's certificate, which must lead to this chain."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from model_signing._signing.sign_certificate import Verifier
from model_signing._signing.sign_sigstore_pb import Signature
from OpenSSL.crypto import X509StoreContextError

from sentinel_workloads.fetch.signature.authority import Signed, material_in
from sentinel_workloads.fetch.signature.statement import signed_files
from sentinel_workloads.signature.bundle import RejectedError


class CertificateJudge:
    """Accepts what was signed with a certificate that was issued, and valid when it began, under one chain."""

    def __init__(self, name: str, chain: Path) -> None:
        self.name = name
        # Without a path the library would trust the CAs of the operating system.
        if not x509.load_pem_x509_certificates(chain.read_bytes()):
            raise ValueError("the chain holds no certificate")
        self._verifier = Verifier([chain])

    def judge(self, bundle: Path) -> Signed:
        """The files that a certificate under the chain signed; the identity is the certificate's subject."""
        if (material := material_in(bundle)) != "x509CertificateChain":
            raise RejectedError(f"not signed with a certificate of an own CA ({material})")
        signature = Signature.read(bundle)
        try:
            manifest = self._verifier.verify(signature)
        except X509StoreContextError as error:
            raise RejectedError(f"the signer's certificate does not lead to this CA: {error}") from error
        except InvalidSignature as error:
            raise RejectedError("the signature does not match the certificate, or its content was changed") from error
        chain = signature.bundle.verification_material.x509_certificate_chain
        if chain is None:
            raise RejectedError("the signature carries no certificate")
        leaf = x509.load_der_x509_certificate(chain.certificates[0].raw_bytes)
        return Signed(signed_files(manifest), leaf.subject.rfc4514_string())
