"""The files that the operator writes for its pods, and how a pod's containers answer. Both sides import this module.

`fetch.json` and `serving.json` lie in the revision's immutable ConfigMap at CONFIG_DIR; a container that cannot go on
exits with an ExitCode and leaves a Termination as JSON in its termination message (at most 4096 bytes).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from sentinel_operator.api.base import Model
from sentinel_operator.api.sentrymodel import Feature, LabelPolicies, Task

CONFIG_DIR = "/etc/sentinel"
FETCH_FILE = "fetch.json"
SERVING_FILE = "serving.json"
MODEL_DIR = "/var/run/sentinel/model"
CACHE_DIR = "/var/cache/sentinel"
SECRETS_DIR = "/etc/sentinel-secrets"
ARTIFACT = "artifact"
"""Folder below MODEL_DIR that holds the verified copy; a single-file artifact lies in it under its own name."""
VERIFIED = "verified.json"
"""File below MODEL_DIR that fetch writes last (a Verification): the server starts from nothing else."""
SIGNATURE = "model.sig"
HTTP_PORT, GRPC_PORT, METRICS_PORT = 8080, 8081, 9090


class ExitCode(IntEnum):
    """Why a container of a model's pod ended; the name is the reason of the condition."""

    Ok = 0
    DigestMismatch = 10
    SignatureInvalid = 11
    AccessDenied = 12
    NotFound = 13
    StorageUnreachable = 14
    ArtifactTooLarge = 15
    InvalidConfig = 16
    NoSpace = 17
    ScanMissing = 18
    """There is no signed report of a scan yet where spec.model.requireScan says."""
    ScanInvalid = 19
    """The report there is not one with which the model may be served."""
    SchemaMismatch = 20
    ModelUnreadable = 21


class Verification(Model):
    """What was verified of the artifact, by whom, and when."""

    digest: str
    """Digest of the copy that is served."""
    authority: str = ""
    """Which entry of spec.model.verify.authorities accepted the signature; empty when none was asked for."""
    identity: str = ""
    """Key fingerprint (`sha256:…`) or certificate identity of the signer."""
    at: str = ""
    """RFC 3339 time."""
    warning: str = ""
    """In mode Warn: why the signature was not accepted."""
    from_cache: bool = False
    """True when storage could not be reached and a cached copy was verified again and used."""


class Termination(Model):
    """The JSON of a container's termination message."""

    reason: str = ""
    field: str = ""
    """Path of the spec's field that the user has to look at."""
    message: str = ""
    verification: Verification | None = None


class Retry(Model):
    """Bounds of the retries of transient storage faults."""

    deadline_seconds: float = 60.0
    initial_seconds: float = 0.5
    max_seconds: float = 10.0


class ObjectStoreAccess(Model):
    """How fetch reaches an S3-compatible store. Credentials come by the usual AWS environment variables."""

    endpoint: str = ""
    region: str = "us-east-1"
    ca_file: str = ""
    anonymous: bool = False


class KeyAuthority(Model):
    """A public key (PEM) whose signature is accepted."""

    type: Literal["Key"] = "Key"
    name: str
    public_key_file: str


class CertificateAuthority(Model):
    """A CA chain (PEM) under which a signing certificate is accepted."""

    type: Literal["Certificate"] = "Certificate"
    name: str
    chain_file: str


class Identity(Model):
    """A signer's identity as the certificate states it; one of value or pattern each."""

    issuer: str = ""
    issuer_reg_exp: str = ""
    subject: str = ""
    subject_reg_exp: str = ""


class KeylessAuthority(Model):
    """Identities accepted under a sigstore trust root that is read from a file: nothing is asked over the network."""

    type: Literal["Keyless"] = "Keyless"
    name: str
    trust_root_file: str
    identities: tuple[Identity, ...] = ()


Authority = Annotated[KeyAuthority | CertificateAuthority | KeylessAuthority, Field(discriminator="type")]


class ScanRequirement(Model):
    """The signed report of a scan over what the model was trained on, without which the model is not handed over."""

    uri: str
    """Of the report's folder (ends with /), or of its statement.sigstore.json."""
    object_store: ObjectStoreAccess = ObjectStoreAccess()
    credentials_dir: str = ""
    """Mounted Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and perhaps AWS_SESSION_TOKEN; empty: as for the
    artifact."""
    dataset_digest: str = ""
    """The dataset that must have been scanned; empty: any whose report the authorities signed."""
    verdict: Literal["Clean", "Quarantined"] = "Clean"
    """The worst that will do."""
    authorities: tuple[Authority, ...] = ()


class FetchConfig(Model):
    """`fetch.json`: what to bring, what it must be, and who must have signed it."""

    uri: str
    """s3://bucket/key or prefix/, https://…, or file:///path (a mounted claim; a copy made by an image's container)."""
    digest: str = ""
    """Wanted digest `sha256:…`; empty when the user gave none."""
    max_bytes: int = 20 * 1024**3
    object_store: ObjectStoreAccess = ObjectStoreAccess()
    verify: Literal["Enforce", "Warn", "None"] = "None"
    authorities: tuple[Authority, ...] = ()
    require_scan: Annotated[ScanRequirement | None, Field(exclude_if=lambda value: value is None)] = None
    """Left out where there is none: what other models are told stays the same, byte for byte."""
    cache_dir: str = ""
    cache_max_bytes: int = 0
    retry: Retry = Retry()


class Batching(Model):
    """Micro-batching of the server; max_size 1 turns it off."""

    max_size: int = 32
    max_delay_ms: float = 5.0


class Limits(Model):
    """What the server refuses."""

    max_request_bytes: int = 8 * 1024**2
    max_batch_rows: int = 1024
    max_queue_rows: int = 4096
    """Rows waiting for the model beyond which a request is answered 503 with Retry-After."""
    request_timeout_seconds: float = 30.0
    drain_seconds: float = 20.0


class JwtAccess(Model):
    """Bearer tokens that the server accepts, checked offline."""

    issuer: str
    audience: str
    jwks_file: str


class AccessConfig(Model):
    """Who may call the server; health and metrics stay open to the kubelet and the scraper."""

    api_keys_dir: str = ""
    """Mounted Secret: file name = client's name, content = SHA-256 hex digest of its key (`X-API-Key` or Bearer)."""
    jwt: JwtAccess | None = None
    requests_per_second: float = 0.0
    """For each client; 0 means without limit."""
    burst: int = 100
    tls_dir: str = ""
    """Mounted Secret with tls.crt and tls.key, read again when it changes; empty means plain text."""


class ServingConfig(Model):
    """`serving.json`: one immutable revision of one model, as its server needs it."""

    name: str
    namespace: str
    revision: str
    version: str = ""
    model_digest: str = ""
    model_dir: str = f"{MODEL_DIR}/{ARTIFACT}"
    task: Task = "Generic"
    features: tuple[Feature, ...] = ()
    labels: tuple[str, ...] = ()
    tokenizer: str = "tokenizer.json"
    """Path below model_dir; used by the text tasks."""
    max_tokens: int = 256
    threshold: float = 0.85
    label_policies: LabelPolicies = Field(default_factory=dict)
    threads: int = 1
    batching: Batching = Batching()
    warmup: tuple[dict[str, Any], ...] = ()
    """Bodies of /v1/predict that are answered once before the server says it is ready."""
    limits: Limits = Limits()
    access: AccessConfig = AccessConfig()
