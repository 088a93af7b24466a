"""What one pass decided, as plain values: the engine executes them, the tests read them.

The engine executes a plan in the order apply, scale, delete, evict, patch, status, events; a guarded one records first:
its status comes before evictions and patches. Every step is idempotent, so a pass that dies anywhere is simply run
again from a fresh observation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from typing_extensions import override

from sentinel_operator.core.analysis.progress import Task
from sentinel_operator.core.analysis.subject import Subject
from sentinel_operator.core.levels.measured import Level
from sentinel_operator.core.podreport import Watching
from sentinel_operator.core.targets import TargetKey

WORKLOAD_MANAGER = "sentinel-workload"
SCALE_MANAGER = "sentinel-scale"
STATUS_MANAGER = "sentinel-status"
ACTION_MANAGER = "sentinel-action"
"""Of what a plan changes of objects that somebody else declares."""

Manifest = dict[str, Any]
"""A Kubernetes object as JSON. Nobody changes one after it has been handed over."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Names one object. `uid` and `resource_version`, where set, are preconditions; both count in equality."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""

    @classmethod
    def of(cls, manifest: Mapping[str, Any], *, pinned: bool = False) -> ObjectRef:
        """Names a raw object; `pinned` takes its uid along, so that a namesake is never acted upon."""
        metadata = manifest["metadata"]
        return cls(
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            uid=metadata.get("uid", "") if pinned else "",
        )

    @override
    def __str__(self) -> str:
        """Reads as `Deployment team-a/fraud-1a2b3c4d` in messages."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply of the whole intent: a field left out that this manager owned is removed.

    The manifest carries apiVersion, kind, metadata.name and namespace, labels and the controller ownerReference; it
    carries neither status nor a resourceVersion. The engine adds the annotation `sentinel.dev/intent-hash` and skips
    the request when the hash and the live object both agree with the intent.
    """

    manifest: Manifest
    field_manager: str = WORKLOAD_MANAGER
    force: bool = True

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef.of(self.manifest)


@dataclass(frozen=True, slots=True)
class Scale:
    """Sets `spec.replicas` through the scale subresource, apart from the applied intent; skipped when it holds."""

    ref: ObjectRef
    replicas: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Removes the object that bears `ref.uid`, and no later namesake of it; an absent object counts as removed."""

    ref: ObjectRef
    propagation: Literal["Background", "Foreground", "Orphan"] = "Background"


@dataclass(frozen=True, slots=True)
class Evict:
    """Has a pod leave its node as a drain does: never beyond its disruption budgets. What they forbid now is tried
    again."""

    ref: ObjectRef
    not_after: datetime | None = None
    """It is not asked for from this moment on, however long ago it was decided; None: whenever."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Changes fields of an object that somebody else declares, by a JSON merge patch (RFC 7386).

    `ref` carries uid and resourceVersion, and the request must carry both as preconditions: an object that was made
    anew or changed since it was looked at is left alone (409), and the pass that follows looks again.
    """

    ref: ObjectRef
    body: Manifest
    """Without the preconditions."""
    subresource: Literal["", "scale"] = ""
    not_after: datetime | None = None
    """It is not sent from this moment on, however long ago it was decided: whoever sends it looks at the clock right
    before. None: whenever."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a decision of a plan would patch, for the API server to say whether it would take it (dryRun=All)."""

    decision: str
    patch: Patch


@dataclass(frozen=True, slots=True)
class LevelsWanted:
    """Service levels of a target that a plan is judged by."""

    target: TargetKey
    levels: frozenset[Level]


@dataclass(frozen=True, slots=True)
class Event:
    """A transition worth telling a person; the recorder folds repetitions into a series."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step of a plan did not happen, for `Reconciler.on_error`.

    `terminal` means that trying again cannot help until the spec changes (the API server answered 403 or 422).
    """

    ref: ObjectRef
    code: int
    reason: str
    message: str
    terminal: bool


@dataclass(frozen=True, slots=True)
class Measuring:
    """What should be measured now, outside of the pass. What comes of it is handed to later passes.

    As long as an analysis runs there is one, be there anything due or not: without one, what was measured is forgotten.
    """

    subject: Subject
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The gate that should be asked now, outside of the pass: again and again, until it opens or no pass wants it.

    Its answers are handed to later passes by `key`. Another key, or another URL, is another gate.
    """

    uid: str
    namespace: str
    name: str
    key: str
    url: str
    body: Mapping[str, Any]
    """What it is told, as JSON."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole outcome of a pass. An empty plan is a pass that found nothing to do.

    `status` is the complete desired status, or None to leave it alone; the engine writes it only when it differs.
    `requeue_after` is in seconds; None waits for the next change or resync.
    """

    apply: tuple[Apply, ...] = ()
    scale: tuple[Scale, ...] = ()
    delete: tuple[Delete, ...] = ()
    evict: tuple[Evict, ...] = ()
    patch: tuple[Patch, ...] = ()
    status: Manifest | None = None
    guarded: bool = False
    """The status is written only over the object that was observed (its resourceVersion is a precondition), and before
    evictions and patches. Those are sent only while the object still is that one: by that write, or, where there was
    nothing to write, by reading it again right before each."""
    events: tuple[Event, ...] = ()
    measure: Measuring | None = None
    watch: Watching | None = None
    """The pods that should be asked again and again, outside of the pass, for as long as passes want it."""
    ask: Asking | None = None
    expire: bool = False
    """The object itself has had its time and should be deleted, after everything else."""
    requeue_after: float | None = None
    paced: bool = False
    """Nothing is to be seen before `requeue_after`, whatever was written."""
    passed: tuple[str, ...] = ()
    """Each state to which the object comes by the status, in order."""
    wants_slot: bool = False
    """It would begin a rollout, had the change budget a slot for it. Whoever executes it asks first and plans anew with
    the answer."""
    wants_room: Manifest | None = None
    """The pod template of which it should be known, before this is executed, whether one more finds room."""
    wants_locks: tuple[TargetKey, ...] = ()
    """It needs all of these targets to itself. Whoever executes it takes all of them or none, and plans anew where it
    got them."""
    rehearse: tuple[Rehearsal, ...] = ()
    """Whoever executes it lets the API server say what it would make of these, and plans anew with the answers."""
    wants_levels: tuple[LevelsWanted, ...] = ()
    """Whoever executes it has these measured, and plans anew with what came of it, be it that nobody knows."""
