"""The file that the operator writes for the pods of a ScanJob, what those leave behind, and how they end.

`scan.json` lies in the ScanJob's immutable ConfigMap. Three pods read it, one after another: *plan* lists the source
and cuts it into shards, *shard* judges the documents of one, *report* puts the results together and signs. What they
leave lies below `root` in the output store:

    plan/manifest.jsonl                 an ObjectLine an object, in byte order of the keys
    plan/shard-00000.jsonl              the Work of a shard
    plan/plan.json                      the digests of the above, written last: what it names is whole
    shards/00000/part-000000.jsonl.gz   the ResultLines of a batch; a Footer is the last line
    report/…                            report.json, report.html, bom.cdx.json, statement.sigstore.json, clean.jsonl;
                                        results.jsonl.gz, leaves.bin and objects.jsonl, by which all of it is verified
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from sentinel_operator.api.base import Model
from sentinel_operator.api.serving import ObjectStoreAccess, Retry

SCAN_FILE = "scan.json"
EMBEDDING_DIR = "/var/run/sentinel/embedding"
CLASSIFIER_DIR = "/var/run/sentinel/classifier"
SIGNING_DIR = "/etc/sentinel-signing"
"""The Secret of the signing key (private.pem) or the trust configuration of keyless signing (trust_config.json)."""
TOKEN_FILE = "/var/run/secrets/sigstore/token"  # noqa: S105 - a path
"""The projected token of keyless signing, with the audience `sigstore`."""
MANIFEST, PARTS, REPORT = "plan/manifest.jsonl", "shards", "report"
DETECTOR = "plan/detector.json"
"""What the detector says of itself (DetectorDescription): the first shard writes it, once."""
PREDICATE_TYPE = "https://sentinel.dev/attestations/scan/v1"

Verdict = Literal["Clean", "Elevated", "Quarantined", "Error"]
Format = Literal["txt", "jsonl", "parquet", "csv"]


class ScanExit(IntEnum):
    """Why a pod of a scan ended; the name is the reason of the condition."""

    Ok = 0
    AccessDenied = 12
    NotFound = 13
    StorageUnreachable = 14
    InvalidConfig = 16
    NoSpace = 17
    ModelUnreadable = 21
    PlanMissing = 40
    """The plan that this pod needs is not there, or is another job's."""
    ShardUnreadable = 42
    """What this shard has to judge is gone or was changed; another may be judged."""
    ResultsMissing = 43
    """A shard's results are not whole: nothing is signed over them."""
    SigningFailed = 44


class Store(Model):
    """A prefix of an object store, and how it is reached. Credentials come from files or the usual environment."""

    uri: str
    """s3://bucket/prefix/ or file:///path/."""
    access: ObjectStoreAccess = ObjectStoreAccess()
    credentials_dir: str = ""
    """Mounted Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and perhaps AWS_SESSION_TOKEN; empty: the pod's own
    identity."""


class Reading(Model):
    """How documents are found in the objects."""

    format: Literal["auto", "txt", "jsonl", "parquet", "csv"] = "auto"
    text_field: str = "text"
    id_field: str = ""
    label_field: str = ""
    """Where a document's label is; with it, the same text under different labels is found."""
    max_document_bytes: int = 10 * 1024**2


class Thresholds(Model):
    """From which risk on (0-100) a document gets which verdict."""

    quarantine: int = 70
    elevated: int = 50


class Signing(Model):
    """Who signs the report; none leaves it unsigned."""

    type: Literal["None", "Key", "Keyless"] = "None"
    key_file: str = ""
    """PEM of the private key."""
    trust_config_file: str = ""
    """sigstore ClientTrustConfig: which Fulcio and Rekor to ask; empty means the public good ones."""
    token_file: str = ""


class ScanConfig(Model):
    """`scan.json`: one ScanJob, as its pods need it."""

    name: str
    namespace: str
    uid: str = ""
    requested_by: str = ""
    """Who created the ScanJob, as the API server verified it; stands in the statement."""
    requested_at: str = ""
    """When it was created: RFC 3339."""
    source: Store
    reading: Reading = Reading()
    output: Store
    """`uri` is the root of this job."""
    clean_manifest: bool = True
    quarantine: Store | None = None
    quarantine_mode: Literal["Copy", "Move", "None"] = "Copy"
    cache: Store | None = None
    cache_ttl_seconds: int = 30 * 24 * 3600
    provenance: Store | None = None
    """A file in the format of sha256sum: what objects should be there, with which digest."""
    heuristics: bool = True
    embedding_dir: str = ""
    classifier_dir: str = ""
    thresholds: Thresholds = Thresholds()
    shards: int = 0
    """How many at most; 0 lets the plan choose by size."""
    batch_size: int = 256
    threads: int = 1
    signing: Signing = Signing()
    webhook: str = ""
    """Told of the end by a POST of the ReportOutcome."""
    price_per_hour: float = 0.0
    """What a pod of this job costs an hour, where it is known: for the cost per 1,000 documents."""
    retry: Retry = Retry(deadline_seconds=600)
    """A store that is away for less than that costs time and nothing else."""


class ObjectLine(Model):
    """An object of the dataset."""

    object: str
    """Key relative to the source's prefix."""
    size: int
    etag: str = ""
    """As it was when planned: another one later is a change during the scan."""
    format: Format | Literal["unknown"] = "unknown"
    sha256: str = ""
    """Hex, of the whole object; known once it was read."""


class CleanLine(Model):
    """An object of which something may be trained on: a line of clean.jsonl."""

    object: str
    uri: str
    size: int
    sha256: str
    """Hex: an object with another one is not what was scanned."""
    documents: int
    """How many it has."""
    excluded_rows: tuple[int, ...] = ()
    """Which of them, counted from 0, are not allowed."""


class Work(Model):
    """A part of one object that one shard judges."""

    object: str
    size: int
    etag: str = ""
    format: Format | Literal["unknown"] = "unknown"
    start: int = 0
    """First byte (jsonl), first row group (parquet), otherwise 0."""
    end: int = -1
    """End, exclusive; -1: all of it."""


class SpanLine(Model):
    """Code points [start, end) of the original text."""

    start: int
    end: int


class ReasonLine(Model):
    """Why a document has its risk."""

    rule: str
    attack: str
    weight: float
    message: str = ""
    spans: tuple[SpanLine, ...] = ()
    decoded: str = ""
    """In which encoding it was hidden, for example base64."""


class ResultLine(Model):
    """The verdict on one document."""

    object: str
    row: int = 0
    """Position within the object, from 0; in a part of jsonl the byte at which the line begins. Negative: no document,
    but that the part of the object which begins at -1 - row could not be read to its end (verdict Error)."""
    id: str = ""
    digest: str
    """sha256:… of the text exactly as extracted; of the raw bytes where no text could be."""
    verdict: Verdict
    risk: int = Field(ge=0, le=100)
    reasons: tuple[ReasonLine, ...] = ()
    heuristic: float = 0.0
    embedding: float | None = None
    fingerprint: str = ""
    """sha256 hex of the normalised text: equal for texts that differ in disguise only."""
    label: str = ""
    cached: bool = False
    excerpt: str = ""
    """For verdicts other than Clean: at most 2,000 characters around the first span, for the report."""
    excerpt_start: int = 0
    """Code point of the original text at which the excerpt begins."""


class Counts(Model):
    """How many documents have which verdict."""

    documents: int = 0
    clean: int = 0
    elevated: int = 0
    quarantined: int = 0
    failed: int = 0
    """Documents with the verdict Error."""
    cached: int = 0
    bytes: int = 0
    """Bytes of the source that were read."""


class DetectorDescription(Model):
    """What judged: rules, models, versions."""

    digest: str
    description: dict[str, Any] = Field(default_factory=dict)


class Footer(Model):
    """The last line of a part: what it holds, and where to go on."""

    footer: Literal[True] = True
    shard: int
    part: int
    detector: str
    """Digest of the detector that judged."""
    lines: int
    next_work: int
    """Index into the shard's Work that comes next."""
    next_offset: int
    """Within it: byte (jsonl), row (parquet, csv)."""
    objects: tuple[ObjectLine, ...] = ()
    """Objects whose sha256 is known with this part."""
    counts: Counts
    """Of the shard up to and with this part."""
    done: bool = False


class Progress(Model):
    """What a running pod answers to GET /progress."""

    step: Literal["plan", "shard", "report"]
    index: int = 0
    total_bytes: int = 0
    counts: Counts = Counts()


class PlanOutcome(Model):
    """Termination message of the plan pod."""

    outcome: Literal["plan"] = "plan"
    shards: int
    objects: int
    bytes: int


class ShardOutcome(Model):
    """Termination message of a shard's pod."""

    outcome: Literal["shard"] = "shard"
    index: int
    counts: Counts


class ReportOutcome(Model):
    """Termination message of the report pod."""

    outcome: Literal["report"] = "report"
    verdict: Literal["Clean", "Quarantined", "Incomplete"]
    counts: Counts
    uri: str
    """Of report.json."""
    digest: str
    """sha256:… of report.json."""
    dataset_digest: str
    clean_digest: str = ""
    """sha256:… of clean.jsonl."""
    detector_digest: str = ""
    merkle_root: str
    signature: str = ""
    """URI of the sigstore bundle."""
    identity: str = ""
    """Fingerprint of the key (`sha256:…`) or identity of the certificate that signed."""
    untold: str = ""
    """Why the webhook could not be told."""


class ScanFailure(Model):
    """Termination message of a pod that could not go on."""

    outcome: Literal["failure"] = "failure"
    reason: str
    field: str = ""
    """Path of the spec's field that the user has to look at."""
    message: str = ""


Outcome = Annotated[PlanOutcome | ShardOutcome | ReportOutcome | ScanFailure, Field(discriminator="outcome")]
