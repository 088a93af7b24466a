"""The policy on identities, on certificates as Fulcio makes them."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from sigstore.errors import VerificationError

from sentinel_operator.api.serving import Identity
from sentinel_workloads.signature.identity import ISSUER_V1, ISSUER_V2, OTHER_NAME, IdentityPolicy

ISSUER, EMAIL, URI = "https://accounts.example.com", "release@example.com", "https://ci.example.com/job/1"


def utf8_der(text: str) -> bytes:
    return bytes((0x0C, len(text.encode()))) + text.encode()


def a_certificate(
    *names: x509.GeneralName, v1: str = ISSUER, v2: str = ISSUER, more: tuple[x509.ExtensionType, ...] = ()
) -> x509.Certificate:
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(minutes=10))
    )
    extensions = [x509.SubjectAlternativeName(names)] if names else []
    if v1:
        extensions.append(x509.UnrecognizedExtension(ISSUER_V1, v1.encode()))
    if v2:
        extensions.append(x509.UnrecognizedExtension(ISSUER_V2, utf8_der(v2)))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def matched(certificate: x509.Certificate, *identities: Identity) -> str:
    policy = IdentityPolicy(identities)
    policy.verify(certificate)
    return policy.matched


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        (x509.RFC822Name(EMAIL), EMAIL),
        (x509.UniformResourceIdentifier(URI), URI),
        (x509.OtherName(OTHER_NAME, utf8_der("user@host")), "user@host"),
    ],
    ids=["mail", "uri", "user name"],
)
@pytest.mark.parametrize(("v1", "v2"), [(ISSUER, ISSUER), (ISSUER, ""), ("", ISSUER)], ids=["both", "old", "new"])
def test_every_kind_of_subject_and_issuer_is_read(name: x509.GeneralName, subject: str, v1: str, v2: str) -> None:
    assert matched(a_certificate(name, v1=v1, v2=v2), Identity(issuer=ISSUER, subject=subject)) == subject


def test_one_identity_of_several_suffices_but_not_parts_of_two() -> None:
    certificate = a_certificate(x509.RFC822Name(EMAIL))
    good, other = Identity(issuer=ISSUER, subject=EMAIL), Identity(issuer="https://other", subject="other@example.com")
    assert matched(certificate, other, good) == EMAIL
    with pytest.raises(VerificationError, match=EMAIL):
        matched(
            certificate,
            Identity(issuer=ISSUER, subject="other@example.com"),
            Identity(issuer="https://other", subject=EMAIL),
        )


@pytest.mark.parametrize(
    "identity",
    [
        Identity(issuer=ISSUER, subject_reg_exp="release@example"),
        Identity(issuer=ISSUER, subject_reg_exp="example.com"),
        Identity(issuer=ISSUER, subject="release.example.com"),
        Identity(issuer=ISSUER, subject=EMAIL.upper()),
        Identity(issuer_reg_exp="https://accounts", subject=EMAIL),
        Identity(issuer=ISSUER + "/", subject=EMAIL),
    ],
)
def test_a_part_of_a_value_is_not_the_value(identity: Identity) -> None:
    with pytest.raises(VerificationError):
        matched(a_certificate(x509.RFC822Name(EMAIL)), identity)


def test_a_line_break_does_not_hide_what_follows() -> None:
    certificate = a_certificate(x509.UniformResourceIdentifier(f"{URI}\n.evil.com"))
    with pytest.raises(VerificationError):
        matched(certificate, Identity(issuer=ISSUER, subject_reg_exp=r"https://ci\.example\.com/job/\d+$"))


@pytest.mark.parametrize(("length", "fits"), [(1024, True), (1025, False)])
def test_a_value_that_is_longer_than_any_expression_should_read_matches_none(length: int, fits: bool) -> None:
    subject = "https://ci.example.com/".ljust(length, "x")
    certificate = a_certificate(x509.UniformResourceIdentifier(subject))
    identity = Identity(issuer=ISSUER, subject_reg_exp=r"https://ci\.example\.com/.*")
    if fits:
        assert matched(certificate, identity) == subject
    else:
        with pytest.raises(VerificationError):
            matched(certificate, identity)


def test_issuers_that_contradict_each_other_match_nothing() -> None:
    certificate = a_certificate(x509.RFC822Name(EMAIL), v1=ISSUER, v2="https://evil.example.com")
    for issuer in (ISSUER, "https://evil.example.com"):
        with pytest.raises(VerificationError):
            matched(certificate, Identity(issuer=issuer, subject=EMAIL))


def test_a_certificate_without_issuer_matches_not_even_any_issuer() -> None:
    with pytest.raises(VerificationError):
        matched(a_certificate(x509.RFC822Name(EMAIL), v1="", v2=""), Identity(issuer_reg_exp=".*", subject=EMAIL))


@pytest.mark.parametrize(
    "identities",
    [
        (),
        (Identity(),),
        (Identity(issuer=ISSUER),),
        (Identity(subject=EMAIL),),
        (Identity(issuer=ISSUER, issuer_reg_exp=".*", subject=EMAIL),),
        (Identity(issuer=ISSUER, subject_reg_exp="["),),
    ],
    ids=["none", "empty", "no subject", "no issuer", "both", "no pattern"],
)
def test_rules_that_would_accept_anyone_are_refused(identities: tuple[Identity, ...]) -> None:
    with pytest.raises(ValueError):
        IdentityPolicy(identities)
