"""The artifact of a model: where it lies, what it must be, and who must have signed it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import (
    Digest,
    ImageName,
    Label,
    Name,
    Path,
    Quantity,
    ShortText,
    list_atomic,
    list_map,
)
from sentinel_operator.api.pod import ConfigMapKeyRef, ObjectStore, SecretKeyRef
from sentinel_operator.api.rules import CEL, at_most_one, exactly_one, matching, required_when, rules


class Https(Model):
    """A file behind HTTPS."""

    url: Annotated[
        str, Field(max_length=2048), rules(matching(r"^https://[^\s/]+/[^\s]+$", "must be https://host/path"))
    ]
    ca_bundle: ConfigMapKeyRef | None = None


class Pvc(Model):
    """A file or directory on a PersistentVolumeClaim of the same namespace, mounted read-only."""

    claim_name: Name
    path: Path
    """Path below the claim's root."""


class Image(Model):
    """A file or directory baked into an image that the pod runs once to copy it out."""

    reference: ImageName
    path: Annotated[str, Field(min_length=1, max_length=1024), rules(matching(r"^/.*$", "must be an absolute path"))]


class Source(Model):
    """Where the artifact comes from; the pods fetch it under their own identity."""

    type: Literal["ObjectStore", "Https", "Pvc", "Image"] = "ObjectStore"
    object_store: ObjectStore | None = None
    https: Https | None = None
    pvc: Pvc | None = None
    image: Image | None = None


SOURCE_RULES = rules(
    required_when("objectStore", "type", "ObjectStore"),
    required_when("https", "type", "Https"),
    required_when("pvc", "type", "Pvc"),
    required_when("image", "type", "Image"),
    at_most_one("objectStore", "https", "pvc", "image"),
)
PUBLIC_PEM = rules(
    CEL(
        rule="self.contains('-----BEGIN ') && !self.contains('PRIVATE KEY-----')",
        message="must be PEM, and nothing private",
        holds=lambda value: "-----BEGIN " in value and "PRIVATE KEY-----" not in value,
    )
)


class Key(Model):
    """A public key that the signature must match: exactly one of pem and secretRef."""

    pem: Annotated[str, Field(max_length=16384), PUBLIC_PEM] | None = None
    secret_ref: SecretKeyRef | None = None


class Certificate(Model):
    """Signing certificates under this CA chain are accepted: exactly one of pem and secretRef."""

    pem: Annotated[str, Field(max_length=65536), PUBLIC_PEM] | None = None
    secret_ref: SecretKeyRef | None = None


class KeylessIdentity(Model):
    """Who must have signed, as issuer and subject of the certificate; each a value or a regular expression.

    An expression is one of Python's and must match the whole value. It holds neither look-around nor back-references,
    and nothing by which matching could take for ever: no repetition inside of another, and three at most of those (such
    as .*) that also take the character after them. Values of more than 1024 characters match none.
    """

    issuer: ShortText | None = None
    issuer_reg_exp: ShortText | None = None
    subject: ShortText | None = None
    subject_reg_exp: ShortText | None = None


IDENTITY_RULES = rules(
    exactly_one("issuer", "issuerRegExp"),
    exactly_one("subject", "subjectRegExp"),
)


class Keyless(Model):
    """Signatures by short-lived certificates; verified offline against the trust root."""

    identities: Annotated[
        list[Annotated[KeylessIdentity, IDENTITY_RULES]], Field(min_length=1, max_length=16), list_atomic()
    ]
    trust_root: ConfigMapKeyRef
    """sigstore TrustedRoot JSON."""


KEY_RULES = rules(exactly_one("pem", "secretRef"))
CERTIFICATE_RULES = rules(exactly_one("pem", "secretRef"))


class Authority(Model):
    """One signer that is trusted."""

    name: Label
    key: Annotated[Key, KEY_RULES] | None = None
    certificate: Annotated[Certificate, CERTIFICATE_RULES] | None = None
    keyless: Keyless | None = None


AUTHORITY_RULES = rules(exactly_one("key", "certificate", "keyless"))


class Verify(Model):
    """Which signatures the artifact must carry before it is served."""

    mode: Literal["Enforce", "Warn"] = "Enforce"
    """Enforce refuses the artifact; Warn serves it and says so in the condition ModelVerified."""
    authorities: Annotated[
        list[Annotated[Authority, AUTHORITY_RULES]], Field(min_length=1, max_length=8), list_map("name")
    ]
    """The signature of any one of them suffices."""


class Cache(Model):
    """A copy from which a pod starts when storage cannot be reached; digest and signature are checked again."""

    type: Literal["None", "Pvc", "NodePath"] = "None"
    claim_name: Name | None = None
    path: (
        Annotated[str, Field(max_length=512), rules(matching(r"^/[^:]*$", "must be an absolute path without ':'"))]
        | None
    ) = None
    max_bytes: Quantity = "20Gi"


CACHE_RULES = rules(required_when("claimName", "type", "Pvc"), required_when("path", "type", "NodePath"))


class ReportIdentity(Model):
    """Who must have signed a report, as issuer and subject of the short-lived certificate."""

    issuer: ShortText
    subject: ShortText
    trust_root: ConfigMapKeyRef
    """sigstore TrustedRoot JSON."""


class ReportSigner(Model):
    """One signer of reports that is trusted: exactly one of key and keyless."""

    name: Label
    key: Annotated[Key, KEY_RULES] | None = None
    keyless: ReportIdentity | None = None


REPORT_SIGNER_RULES = rules(exactly_one("keyless", "key"))


class RequireScan(Model):
    """The signed report of a ScanJob, or of sentinel-scan, without which the artifact is not used."""

    report: ObjectStore
    """The report's folder (its address ends with /), or its statement.sigstore.json."""
    dataset_digest: Digest | None = None
    """What the model was trained on, as `status.report` of the ScanJob says it; absent: any dataset whose report the
    authorities signed."""
    verdict: Literal["Clean", "Quarantined"] = "Clean"
    """The worst with which the model may be used. Quarantined is right where the training read the report's clean set,
    which leaves out what was quarantined. The report of a scan that is not complete never will do."""
    authorities: Annotated[
        list[Annotated[ReportSigner, REPORT_SIGNER_RULES]], Field(min_length=1, max_length=8), list_map("name")
    ]
    """The signature of any one of them suffices."""


class ModelArtifact(Model):
    """What is served: its name for people, where it lies, what it must be, and who must have signed it."""

    version: Annotated[
        str,
        Field(min_length=1, max_length=63),
        rules(
            matching(
                r"^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$",
                "must hold only letters, digits, '-', '_' and '.', and start and end with a letter or digit",
            )
        ),
    ]
    """A person's name for this version, for example 1.0.0."""
    metadata: Annotated[dict[str, ShortText], Field(max_length=32)] | None = None
    """Free facts, for example accuracy: "0.94"."""
    format: Literal["ONNX"] = "ONNX"
    source: Annotated[Source, SOURCE_RULES]
    digest: Digest | None = None
    """sha256 of the file, or of the canonical manifest of the directory (`kubectl sentinel digest PATH` prints it)."""
    verify: Verify | None = None
    max_bytes: Quantity = "20Gi"
    """A larger artifact is refused."""
    cache: Annotated[Cache, CACHE_RULES] | None = None


class ServedArtifact(ModelArtifact):
    """The artifact of a model that is served: what it was trained on may be asked for as well."""

    require_scan: RequireScan | None = None
    """What the model was trained on must have been scanned."""
