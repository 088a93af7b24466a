"""Hot swap and shadow: what the operator wants of the pods of one SentryModel, and what its sidecar tells the server.

The pods are told nothing; they watch. One ConfigMap is the desired state, one file in the pod is what is possible of it
now, and the server's own metrics and repository index are the answer. Nobody listens for orders.

    ConfigMap <cr>-active, key active.json (ActiveConfig)      written by the operator, server-side apply
      │  watched by the sidecar, the only container with a token
      ▼
    MODEL_DIR/revisions/<revision>/artifact, verified.json     a whole verified copy, as fetch leaves it
    MODEL_DIR/revisions/<revision>/failed.json                 or why there is none (Termination)
    MODEL_DIR/active.json (Instruction)                        written after what it names as active is there, by rename
      │  looked at by the server, which has no token and a read-only mount
      ▼
    :9090/metrics, /v2/repository/index                        what it serves, what it holds, what it refuses and why

The pod. Volumes as ever (`config` at CONFIG_DIR, `model` at MODEL_DIR: read-only in `server`, `tmp`), and
  - initContainer `fetch`:  `follow --once --config-map <cr>-active`. Does what fetch does, for what the ConfigMap names
    as active; for CONFIG_DIR/fetch.json and serving.json where there is no such ConfigMap. Exit codes and termination
    message as fetch's; StorageUnreachable with the ConfigMap as its field when the API server did not answer in time.
  - container `follow` (image fetch): `follow --config-map <cr>-active`. Health on FOLLOW_PORT: /healthz, /readyz,
    /metrics (`sentinel_follow_*`). It never ends because of a revision: a failed one is tried again only when storage
    could not be reached. Instead of the two, one initContainer with restartPolicy Always and /readyz as its startup
    probe does the same.
  - container `server`: `--follow`. Ready once the active revision is loaded; ends with an ExitCode when that one cannot
    be served at its start, never because of another.
Both fetch containers mount the token (projected volume at SERVICE_ACCOUNT_DIR: token, ca.crt, namespace), the store's
credentials, and the Secrets that authorities name; `automountServiceAccountToken` is false for the pod. Their Role:
    rules: [{apiGroups: [""], resources: [configmaps], resourceNames: [<cr>-active], verbs: [list, watch]}]
and the NetworkPolicy must let them reach the API server.

What a swap cannot change, because it is the process's and not the revision's: name, namespace, `access`, ports, image,
resources, Secrets that are not mounted yet. For these the operator makes new pods. `limits` and `batching` are the
revision's own, but the largest request, its timeout and the drain, which stay those of CONFIG_DIR/serving.json. A name
stands for one content: a revision that was verified is not looked at again under the same name. The volume and the
server's memory must hold all the revisions that are named together; the server remembers in `tmp` what it was loading
when it died, and after the second time says Failed, reason Crashed, in place of loading a candidate again.

What the operator may rely on: a pod follows an instruction as far as it can when `instruction_serial` is its serial; it
has swapped when `active` of that revision is 1. A swap of all pods is complete when both hold for every ready one.

How an instruction is followed:
  - Every revision in `revisions` is fetched, verified, loaded and warmed, the active first. One that is named no longer
    is unloaded when its last request is answered, and its folder removed.
  - `active` names the one that answers. Changing it to one that is loaded takes less than a second, back as well as
    forth; requests that began on a revision end on it. To a revision that cannot be loaded nothing is flipped.
  - `candidate` names the one that is compared, on the last `replay` real inputs, with the active one (`parity`).
    A revision whose comparison failed is not flipped to while `parity` is given, unless it has been active in this
    process before. Without `parity` the comparison is made and told, and stops nothing.
  - `serial` is only told back. What counts is the content, so that repeating an instruction does nothing; which one is
    the newest, the API server knows (reads are consistent, watches in order).
  - A ConfigMap that is deleted or does not parse changes nothing: the pods go on as they were, and say so.

Metrics of the server about it (all with `model`; `revision` is the one that the figure is about):
    sentinel_model_server_active{revision}                       1 for the one that answers, 0 for others that are named
    sentinel_model_server_revision_state{revision,role,state,reason}   1; role Active|Candidate|Former,
                                                                 state Fetching|Loading|Ready|Failed|Refused
    sentinel_model_server_instruction_serial                     of the last instruction read from the file
    sentinel_model_server_verification_info{revision,digest,authority,identity}   1 for each that is loaded
    sentinel_model_server_swaps_total{revision}                  flips to it
    sentinel_model_server_parity_inputs{revision,against}        requests compared
    sentinel_model_server_parity_label_agreement{…}              share of rows, 0…1
    sentinel_model_server_parity_score_difference_max{…}         largest difference of confidence
    sentinel_model_server_parity_latency_ratio{…}                median run of the candidate / of the active
    sentinel_model_server_parity_verdict{…,verdict}              1; Pass, Fail, Inconclusive
    sentinel_shadow_{compared,agreed,failed,dropped}_total{revision,candidate}
                        compared: requests answered by both; agreed: of these, all rows the same label;
                        failed: no answer, or no 200; dropped: the queue was full
    sentinel_shadow_score_difference{revision,candidate}         histogram, by row
    sentinel_shadow_latency_seconds{revision,candidate,side}     histogram, in each server; side active|candidate
The figures of every other metric are of the revision in their label `revision`. Mirrored requests are counted in the
candidate's pods with `traffic="mirrored"`, which no series of real requests bears.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from sentinel_operator.api.base import Model
from sentinel_operator.api.serving import FetchConfig, ServingConfig, Termination

ACTIVE_FILE = "active.json"
"""Key of the ConfigMap, and the file below MODEL_DIR that the sidecar makes of it."""
REVISIONS = "revisions"
"""Folder below MODEL_DIR with one folder for each revision."""
FAILED = "failed.json"
FOLLOW_PORT = 9091
SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"
MIRRORED = "Sentinel-Mirrored"
"""Header of a mirrored request, its value the revision whose answer the client got. Such a request is answered with a
Reading, counted apart, and never mirrored onward."""
MAX_REVISIONS = 4

_NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
RevisionName = Annotated[str, StringConstraints(pattern=_NAME)]
"""Becomes the name of a folder."""


class RevisionConfig(Model):
    """All that a pod needs to serve a revision, but for Secrets."""

    fetch: FetchConfig
    serving: ServingConfig
    """`serving.revision` is the revision's name; `serving.model_dir` is overwritten by the sidecar."""
    trust: dict[str, str] = Field(default_factory=dict)
    """Content of files that `fetch` names below CONFIG_DIR (`authority-0.pem`, `ca-bundle.pem`), by file name: what the
    revision's own ConfigMap holds beside the two configurations."""


class ParityLimits(Model):
    """What the comparison with the active revision must come to."""

    min_inputs: int = Field(default=20, ge=1)
    """With fewer the verdict is Inconclusive."""
    min_label_agreement: float = Field(default=0.95, ge=0, le=1)
    max_score_difference: float = Field(default=1.0, ge=0)
    max_latency_ratio: float = Field(default=0.0, ge=0)
    """Of the medians; 0 is no limit."""


class Shadow(Model):
    """Which share of the active revision's requests is mirrored, and where to."""

    revision: RevisionName
    """Of the candidate; its pods may serve nothing else."""
    percent: float = Field(gt=0, le=100)
    urls: tuple[Annotated[str, StringConstraints(pattern=r"^https?://[^/?#@]+$")], ...] = Field(
        min_length=1, max_length=64
    )
    """`http://host:port` of the candidate's Service or pods, without a path; taken in turn."""
    ca_file: str = ""
    """PEM file in the server's container that https addresses are checked with; empty means the system's."""
    server_name: str = ""
    """The name that a certificate must bear, where it is not that of the address: the candidate's pods show the one of
    the model's own Service."""
    timeout_seconds: float = Field(default=5.0, gt=0, le=60)


class ActiveConfig(Model):
    """`active.json` of the ConfigMap: what the pods of one SentryModel shall do."""

    serial: int = Field(ge=0)
    active: RevisionName
    candidate: RevisionName | None = None
    revisions: tuple[RevisionConfig, ...] = Field(min_length=1, max_length=MAX_REVISIONS)
    """The active one, the candidate, and those that are kept loaded for an instant return."""
    replay: int = Field(default=0, ge=0, le=10_000)
    """Real inputs that each server keeps in memory and compares on; 0 keeps none."""
    replay_bytes: int = Field(default=16 * 1024**2, ge=0, le=1024**3)
    """Most memory for them."""
    parity: ParityLimits | None = None
    shadow: Shadow | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        names = [each.serving.revision for each in self.revisions]
        for name in names:
            if not re.fullmatch(_NAME, name):
                raise ValueError(f"revisions: {name!r} is no name of a revision")
        if len(set(names)) != len(names):
            raise ValueError(f"revisions: a revision is named twice: {', '.join(names)}")
        for field, wanted in (("active", self.active), ("candidate", self.candidate)):
            if wanted is not None and wanted not in names:
                raise ValueError(f"{field}: {wanted!r} is not among the revisions {', '.join(names)}")
        return self


class LocalRevision(Model):
    """A revision as it lies in this pod."""

    serving: ServingConfig
    """With `model_dir` in this pod."""
    state: Literal["Fetching", "Verified", "Failed"]
    failure: Termination | None = None


class Instruction(Model):
    """`active.json` in the pod: what the server can follow now. `active` is one whose state is Verified."""

    serial: int
    active: str
    candidate: str | None = None
    revisions: tuple[LocalRevision, ...]
    replay: int = 0
    replay_bytes: int = 0
    parity: ParityLimits | None = None
    shadow: Shadow | None = None
    pending: str = ""
    """The revision that the ConfigMap names as active, while its copy is not there: it is being fetched, or failed."""


class Reading(Model):
    """The body of the answer to a mirrored request: what is compared."""

    revision: str
    labels: tuple[str, ...] = ()
    """Of the first rows; empty where the model is no classifier."""
    scores: tuple[float, ...] = ()
    seconds: float
    """From the request's last byte to here."""
