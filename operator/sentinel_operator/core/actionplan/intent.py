"""What a decision does to one object, as it is recorded before anything is done; and how far that has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sentinel_operator.api.actionstatus import EditStatus, IntentStatus
from sentinel_operator.core.actionplan.edits import ABSENT, Edit, as_text, changes, from_text, merge_patch, stands
from sentinel_operator.core.plan import Manifest, ObjectRef, Patch

LARGEST = 65_536
"""Characters of one value that can be recorded."""
MOST_PODS = 512
Standing = Literal["Applied", "Untouched", "Moved", "Gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Edits of one object, and pods that have to leave their node."""

    ref: ObjectRef
    """With the object's uid."""
    generation: int = 0
    """Of the object when this was decided; 0 where it counts none."""
    edits: tuple[Edit, ...] = ()
    evict: tuple[str, ...] = ()
    temporary: bool = False
    """The edits are taken back as soon as the pods have left."""

    def inverse(self, live: Manifest | None = None) -> Intent:
        """Gives what takes this back, decided on the object as it is now. Pods do not come back."""
        generation = self.generation if live is None else generation_of(live)
        edits = tuple(each.inverse() for each in reversed(self.edits))
        return Intent(ref=self.ref, generation=generation, edits=edits)


def of(live: Manifest, edits: Sequence[Edit] = (), *, evict: Sequence[str] = (), temporary: bool = False) -> Intent:
    """Decides on an object as it is now; edits that change nothing are left out."""
    ref = ObjectRef.of(live, pinned=True)
    return Intent(
        ref=ref,
        generation=generation_of(live),
        edits=changes(edits),
        evict=tuple(evict),
        temporary=temporary,
    )


def generation_of(live: Manifest) -> int:
    """Gives how often the object's spec was changed; 0 for what does not count (Nodes)."""
    return int(live["metadata"].get("generation") or 0)


def standing(intent: Intent, live: Manifest | None) -> Standing:
    """Tells how an object stands to an intent.

    Untouched is only what nobody has changed since: had it been changed and changed back, doing it could be doing it
    again. What is neither before nor after was changed by somebody else, and is theirs.
    """
    if live is None or live["metadata"].get("uid") != intent.ref.uid:
        return "Gone"
    if stands(live, intent.edits):
        return "Applied"
    unmoved = generation_of(live) == intent.generation
    return "Untouched" if unmoved and stands(live, [each.inverse() for each in intent.edits]) else "Moved"


def patch(intent: Intent, live: Manifest, *, not_after: datetime | None = None) -> Patch:
    """Gives the request that makes an untouched object as intended, and only while it is the one that was looked at."""
    metadata = live["metadata"]
    ref = ObjectRef(
        intent.ref.api_version,
        intent.ref.kind,
        intent.ref.namespace,
        intent.ref.name,
        intent.ref.uid,
        metadata.get("resourceVersion", ""),
    )
    # The scale subresource of a custom resource does not exist while its replicas are absent, nor can it remove them.
    scales = len(intent.edits) == 1 and intent.edits[0].path == ("spec", "replicas")
    scales = scales and ABSENT not in (intent.edits[0].before, intent.edits[0].after)
    return Patch(ref, merge_patch(intent.edits), "scale" if scales else "", not_after)


def problem(intents: Sequence[Intent]) -> str:
    """Says why intents cannot be recorded; empty if they can."""
    for each in intents:
        if len(each.evict) > MOST_PODS:
            return f"{len(each.evict)} pods would have to leave, at most {MOST_PODS} at once can be looked after"
        for one in each.edits:
            if max(len(as_text(one.before)), len(as_text(one.after))) > LARGEST:
                return f"{'.'.join(one.path)} of {each.ref} is too large to be recorded, so it could not be taken back"
    return ""


def recorded(intent: Intent) -> IntentStatus:
    """Writes an intent into the status."""
    return IntentStatus(
        api_version=intent.ref.api_version,
        kind=intent.ref.kind,
        namespace=intent.ref.namespace,
        name=intent.ref.name,
        uid=intent.ref.uid,
        generation=intent.generation,
        edits=[
            EditStatus(path=list(each.path), before=as_text(each.before), after=as_text(each.after))
            for each in intent.edits
        ]
        or None,
        evict=list(intent.evict) or None,
        temporary=intent.temporary,
    )


def read(status: IntentStatus) -> Intent:
    """Reads an intent from the status."""
    ref = ObjectRef(status.api_version, status.kind, status.namespace, status.name, status.uid)
    edits = tuple(Edit(tuple(each.path), from_text(each.before), from_text(each.after)) for each in status.edits or ())
    return Intent(
        ref=ref,
        generation=status.generation,
        edits=edits,
        evict=tuple(status.evict or ()),
        temporary=status.temporary,
    )
