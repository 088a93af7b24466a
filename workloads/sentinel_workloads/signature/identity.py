"""Which identities may sign: a policy on the certificates that sigstore's Fulcio issues."""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.hazmat import asn1
from sigstore.errors import VerificationError

from sentinel_operator.api.serving import Identity

# https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_LONGEST_VALUE = 1024
OTHER_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")


class IdentityPolicy:
    """A sigstore policy: the certificate's issuer and one of its subjects match one of the identities.

    Regular expressions must match the whole value: a part of it is anyone's to choose.
    """

    def __init__(self, identities: tuple[Identity, ...]) -> None:
        if not identities:
            raise ValueError("no identity is given: anyone's signature would do")
        self._rules = [
            (_rule(item.issuer, item.issuer_reg_exp, "issuer"), _rule(item.subject, item.subject_reg_exp, "subject"))
            for item in identities
        ]
        self.matched = ""

    def verify(self, cert: x509.Certificate) -> None:
        """Sets `matched` to the subject that matched, or raises VerificationError."""
        self.matched = ""
        issuers, subjects = _issuers(cert), subjects_of(cert)
        for issuer_rule, subject_rule in self._rules:
            # Old and new form of the issuer must not contradict each other.
            if not issuers or not all(_fits(issuer_rule, issuer) for issuer in issuers):
                continue
            for subject in subjects:
                if _fits(subject_rule, subject):
                    self.matched = subject
                    return
        raise VerificationError(f"signed by {_said(subjects)} of issuer {_said(issuers)}, which no identity allows")


def _rule(value: str, pattern: str, what: str) -> re.Pattern[str]:
    if bool(value) == bool(pattern):
        raise ValueError(f"each identity needs exactly one of {what} and {what}RegExp")
    try:
        return re.compile(pattern or re.escape(value))
    except re.error as error:
        raise ValueError(f"{what}RegExp {pattern!r} is not a regular expression: {error}") from error


def _fits(rule: re.Pattern[str], value: str) -> bool:
    """How long an expression may take grows faster than the value; which expressions there are, admission decides."""
    return len(value) <= _LONGEST_VALUE and rule.fullmatch(value) is not None


def _issuers(cert: x509.Certificate) -> list[str]:
    found = {extension.oid: extension.value for extension in cert.extensions}
    issuers = []
    if isinstance(v1 := found.get(ISSUER_V1), x509.UnrecognizedExtension):
        issuers.append(v1.value.decode())
    if isinstance(v2 := found.get(ISSUER_V2), x509.UnrecognizedExtension):
        issuers.append(asn1.decode_der(str, v2.value))
    return issuers


def subjects_of(cert: x509.Certificate) -> list[str]:
    """The identities that a certificate states, as its subject's alternative names."""
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    subjects = [*names.get_values_for_type(x509.RFC822Name), *names.get_values_for_type(x509.UniformResourceIdentifier)]
    others = names.get_values_for_type(x509.OtherName)
    return [*subjects, *(_other_name(other.value) for other in others if other.type_id == OTHER_NAME)]


def _other_name(value: bytes) -> str:
    # Fulcio writes DER; sigstore's own test services write the bare text.
    try:
        return asn1.decode_der(str, value)
    except ValueError:
        return value.decode()


def _said(values: list[str]) -> str:
    return ", ".join(repr(value) for value in dict.fromkeys(values)) or "nobody"
