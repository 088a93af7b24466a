"""ScanJob: a dataset scanned in shards, quarantined, and attested by a signature that binds every verdict."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sentinel_operator.api.analysis import Url
from sentinel_operator.api.artifact import ModelArtifact
from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import DNS_SUBDOMAIN, LABEL_VALUE, Quantity, between
from sentinel_operator.api.pod import ChildLabels, ConfigMapKeyRef, ObjectStore, Pod, SecretKeyRef
from sentinel_operator.api.rules import CEL, exactly_one, matching, required_when, rules

CONTROLLER = "sentinel.dev/scanjob-controller"
"""What spec.managedBy says of this operator."""
CHANGEABLE = frozenset({"suspend", "parallelism", "ttlSecondsAfterFinished"})
"""Fields of the spec that may be changed after the creation."""

Format = Literal["auto", "txt", "jsonl", "parquet", "csv"]
FieldName = Annotated[str, Field(max_length=253)]
Percent = Annotated[int, Field(ge=0, le=100)]


# ---------------------------------------------------------------------------------------------- what is scanned


class ScanSource(Model):
    """The dataset: every object below a prefix, and how documents are found in them."""

    object_store: ObjectStore
    format: Format = "auto"
    """auto: told by name and content. A row of jsonl, csv or parquet is a document, any other text as a whole."""
    text_field: Annotated[str, Field(min_length=1, max_length=253)] = "text"
    """Where a row has its text."""
    id_field: FieldName = ""
    """Where a row has its identifier."""
    label_field: FieldName = ""
    """Where a row has its label; with it, the same text under different labels is found."""
    max_document_bytes: Quantity = "10Mi"
    """A larger document is not judged: it gets the verdict Error and is quarantined."""
    provenance: ObjectStore | None = None
    """A file as sha256sum writes it: which objects should be there, with which digest."""


class DetectorModel(Model):
    """A model that judges documents; the pods fetch and verify it as those of a SentryModel do."""

    model: ModelArtifact


class Thresholds(Model):
    """From which risk on (0-100) a document gets which verdict."""

    quarantine: Percent = 70
    elevated: Percent = 50


THRESHOLD_RULES = rules(
    CEL(
        rule="self.elevated <= self.quarantine",
        message="must not be greater than quarantine",
        holds=lambda value: value.elevated <= value.quarantine,
        field="elevated",
    )
)


class Detectors(Model):
    """What judges a document: rules, and an embedding with a classifier on it."""

    heuristics: bool = True
    embedding: DetectorModel | None = None
    classifier: DetectorModel | None = None
    thresholds: Annotated[Thresholds, THRESHOLD_RULES] = Thresholds()


DETECTOR_RULES = rules(
    CEL(
        rule="has(self.embedding) == has(self.classifier)",
        message="set embedding and classifier together: the one judges what the other makes of a text",
        holds=lambda value: (value.embedding is None) == (value.classifier is None),
    ),
    CEL(
        rule="self.heuristics || has(self.embedding)",
        message="must be true unless embedding and classifier are set: nothing else would judge",
        holds=lambda value: value.heuristics or value.embedding is not None,
        field="heuristics",
    ),
)


# ---------------------------------------------------------------------------------------------- what becomes of it


class ScanCache(Model):
    """Verdicts of this and other ScanJobs, by the digests of document and detector."""

    object_store: ObjectStore
    ttl: Annotated[str, Field(max_length=32), between("1m", "8760h")] = "720h"
    """An older verdict is not used."""


class Quarantine(Model):
    """Where documents go that must not be trained on. Move takes whole objects out of the source."""

    mode: Literal["Copy", "Move", "None"] = "Copy"
    object_store: ObjectStore | None = None


QUARANTINE_RULES = rules(required_when("objectStore", "mode", "Copy", "Move"))


class Output(Model):
    """Where plan, results and report are written, in a folder of the ScanJob's own."""

    object_store: ObjectStore
    clean_manifest: bool = True
    """Lists the clean documents for a training job."""


class SigningKey(Model):
    """A private key in PEM; the operator does not read it."""

    secret_ref: SecretKeyRef


class KeylessSigning(Model):
    """A short-lived certificate for the pods' own service account, by the token that Kubernetes gives it."""

    trust_config: ConfigMapKeyRef | None = None
    """sigstore ClientTrustConfig JSON: which Fulcio and Rekor to ask; absent: the public good ones."""


class Signing(Model):
    """Who signs the report: exactly one of key and keyless."""

    key: SigningKey | None = None
    keyless: KeylessSigning | None = None


SIGNING_RULES = rules(exactly_one("key", "keyless"))


# ---------------------------------------------------------------------------------------------- how it runs


class OnFailure(Model):
    """How much may fail before the scan is given up. Without every shard there is no complete report."""

    backoff_limit_per_index: Annotated[int, Field(ge=0, le=100)] = 3
    """How often a shard is tried again."""
    max_failed_indexes: Annotated[int, Field(ge=0, le=1000)] | None = None
    """With more failed shards the rest is not tried any more; absent: every shard is."""


class OnFinished(Model):
    """Who is told of the end."""

    webhook: Url | None = None
    """Gets a POST of the outcome as JSON, by the report's pod."""


class ScanJobSpec(Model):
    """A dataset scanned, quarantined and attested. Once created, only suspend, parallelism and ttlSecondsAfterFinished
    can be changed."""

    source: ScanSource
    detectors: Annotated[Detectors, DETECTOR_RULES] = Detectors()
    shards: Annotated[int, Field(ge=1, le=1000)] | None = None
    """At most so many parts that are scanned apart; absent: chosen by the size of the dataset."""
    parallelism: Annotated[int, Field(ge=1, le=1000)] = 4
    """Shards that are scanned at the same time."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 256
    """Documents after which a shard's results are written; a pod that is killed loses no more than that."""
    cache: ScanCache | None = None
    quarantine: Annotated[Quarantine, QUARANTINE_RULES] | None = None
    """Absent: documents stay where they are, and are left out of the clean manifest."""
    output: Output
    signing: Annotated[Signing, SIGNING_RULES] | None = None
    """Absent: the report is not signed, and nobody can rely on it."""
    on_failure: OnFailure = OnFailure()
    on_finished: OnFinished = OnFinished()
    managed_by: (
        Annotated[
            str,
            Field(min_length=3, max_length=253),
            rules(
                matching(
                    rf"{DNS_SUBDOMAIN.removesuffix('$')}/[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$",
                    f"must be a domain, '/' and a name, such as {CONTROLLER}",
                )
            ),
        ]
        | None
    ) = None
    """Who looks after this object; this operator leaves it alone where that is another one than itself."""
    queue_name: (
        Annotated[
            str,
            Field(min_length=1, max_length=63),
            rules(matching(LABEL_VALUE, "must be the name of a Kueue LocalQueue of the namespace")),
        ]
        | None
    ) = None
    """Kueue admits the Jobs of this object from that queue."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] | None = None
    """After which the object is deleted, with its Jobs; what it has written stays."""
    suspend: bool = False
    """Ends the pods, keeps what they have done, and starts none until it is false again."""
    labels: ChildLabels | None = None
    """Put on every child (cost allocation)."""
    pod: Pod = Pod()
