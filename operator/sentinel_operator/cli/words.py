"""What each verb says of a rollout: the field that it sets, named as the status has it, or why it would do nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sentinel_operator.cli.delivery import BARRED, Delivery
from sentinel_operator.cli.outcome import Exit, Failed
from sentinel_operator.core.rollout.instructions import Ask, Hold, Judge, told

Field = Mapping[str, Any] | str


class Refused(Failed):
    """The verb has no sense as things are, and the message says why."""

    def __init__(self, message: str, *, overridable: bool = False) -> None:
        super().__init__(message, Exit.NOT_READY)
        self.overridable = overridable
        """--force does it all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person asks for on the command line."""

    verb: str
    full: bool = False
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A field of spec.rollout to set, or none, and those to remove."""

    told: str
    """What follows from it."""
    field: str = ""
    value: Field | None = None
    removes: tuple[str, ...] = ()
    before: Any = None
    """What the field says so far: a merge keeps what it is not told to remove."""

    @property
    def patch(self) -> dict[str, Any]:
        """Gives the merge patch."""
        rollout: dict[str, Any] = dict.fromkeys(self.removes)
        if isinstance(self.value, Mapping):
            left = self.before if isinstance(self.before, Mapping) else {}
            rollout[self.field] = {**dict.fromkeys(left.keys() - self.value.keys()), **self.value}
        elif self.field:
            rollout[self.field] = self.value
        return {"spec": {"rollout": rollout}}

    @property
    def nothing(self) -> bool:
        """Tells that it is said already."""
        return not self.field and not self.removes


# ---------------------------------------------------------------------------------------------- each verb


def _promote(order: Order, delivery: Delivery) -> Word:
    candidate, progress = delivery.candidate, delivery.progress
    if not candidate:
        raise Refused(f"nothing to promote: {_idle(delivery)}")
    if not delivery.stable:
        raise Refused(f"nothing to promote: {delivery.named(candidate)} is the first revision, and nothing else serves")
    names: dict[str, Any] = {"revision": candidate, "attempt": progress.attempt}
    if order.full:
        if progress.fast:
            raise Refused(f"nothing to promote: the steps of {delivery.named(candidate)} are skipped already")
        said = f"{delivery.named(candidate)} skips the steps and analyses that are left, and takes over"
        return Word(told=said, field="promote", value={**names, "full": True})
    step = delivery.step
    if step is not None and not isinstance(step, Hold | Judge | Ask):
        raise Refused(
            f"nothing to promote: step {progress.step} ({told(step)}) waits for nobody's word: {progress.message}\n"
            "It goes on by itself when that is done; promote --full skips the steps that are left."
        )
    what = f" ({told(step)})" if step is not None else ""
    said = f"{delivery.named(candidate)} goes on past step {progress.step}{what}"
    return Word(told=said, field="promote", value={**names, "step": progress.step})


def _pause(_: Order, delivery: Delivery) -> Word:
    revision = delivery.candidate
    if not revision:
        _needs_current(delivery)
        revision = delivery.target
        if not revision or revision == delivery.stable or _barred(delivery, revision):
            raise Refused(f"nothing to pause: {_idle(delivery)}")
    at = f"at step {delivery.progress.step}" if delivery.candidate else "before its first step"
    return Word(told=f"{delivery.named(revision)} stays {at} until resume", field="paused", value=revision)


def _abort(_: Order, delivery: Delivery) -> Word:
    candidate = delivery.candidate
    if not candidate:
        raise Refused(f"nothing to abort: {_idle(delivery)}")
    if delivery.went_back is not None:
        raise Refused(
            f"nothing to abort: {delivery.named(candidate)} comes because of spec.rollout.rollbackTo; "
            "to end that: kubectl sentinel undo"
        )
    if delivery.stable:
        said = f"all requests go back to {delivery.named(delivery.stable)}"
    else:
        said = "nothing serves then, as no other revision ever did"
    barred = f"{delivery.named(candidate)} is not delivered again without retry"
    return Word(told=f"{said}; {barred}", field="abort", value=candidate)


def _retry(order: Order, delivery: Delivery) -> Word:
    _needs_current(delivery)
    revision = order.revision or delivery.target
    _known(revision, delivery)
    record = delivery.record(revision)
    if delivery.went_back is not None:
        raise Refused("spec.rollout.rollbackTo has its way; take it back first: kubectl sentinel undo")
    if revision != delivery.target:
        raise Refused(f"the spec does not ask for {delivery.named(revision)}; to go back to it: rollback {revision}")
    if delivery.candidate == revision:
        raise Refused(f"nothing to retry: {delivery.named(revision)} is being delivered: {delivery.progress.message}")
    if record is None or record.verdict not in BARRED:
        raise Refused(f"nothing to retry: {_idle(delivery)}")
    value = {"revision": revision, "attempt": record.attempt + 1}
    said = (
        f"{delivery.named(revision)}, {record.verdict.lower()} before, is delivered again: attempt {value['attempt']}"
    )
    return Word(told=said, field="retry", value=value)


def _rollback(order: Order, delivery: Delivery) -> Word:
    _needs_current(delivery)
    target = delivery.target
    if not target:
        raise Refused("nothing to go back from: the operator has not said yet which revision the spec asks for")
    revision = order.revision or _former(delivery, target)
    _known(revision, delivery)
    if revision == target:
        back = " now that spec.rollout.rollbackTo is set: kubectl sentinel undo" if delivery.went_back else ""
        raise Refused(f"the spec asks for {delivery.named(revision)} itself{back}")
    if _barred(delivery, revision):
        record = delivery.record(revision)
        verdict = record.verdict.lower() if record is not None else "barred"
        raise Refused(f"{delivery.named(revision)} was {verdict}: it is not delivered again by going back to it")
    said = f"{delivery.named(revision)} serves in place of {delivery.named(target)}, until the spec asks for another"
    return Word(told=said, field="rollbackTo", value={"revision": revision, "insteadOf": target})


def _former(delivery: Delivery, target: str) -> str:
    """The revision that serves where it is not the target yet; else the one that was promoted before it."""
    if delivery.stable and delivery.stable != target:
        return delivery.stable
    promoted = [each for each in delivery.records if each.promoted_at and each.revision != target]
    good = [each for each in promoted if each.verdict not in BARRED]
    if not good:
        raise Refused(f"there is nothing to go back to: no revision but {delivery.named(target)} was ever promoted")
    return max(good, key=lambda each: each.promoted_at).revision


def _known(revision: str, delivery: Delivery) -> None:
    if delivery.record(revision) is None:
        known = ", ".join(delivery.named(each.revision) for each in delivery.records) or "none"
        raise Refused(f"there is no revision {revision!r}; the history has: {known}")


def _barred(delivery: Delivery, revision: str) -> bool:
    record = delivery.record(revision)
    return record is not None and record.verdict in BARRED


def _needs_current(delivery: Delivery) -> None:
    if not delivery.current:
        raise Refused("the operator has not looked at the newest spec yet: what it asks for is not known; try again")


def _idle(delivery: Delivery) -> str:
    if not delivery.stable:
        return "no revision is being delivered"
    target = delivery.target
    if target != delivery.stable and _barred(delivery, target):
        record = delivery.record(target)
        verdict = record.verdict.lower() if record is not None else ""
        return f"{delivery.named(target)} was {verdict}; to deliver it again: kubectl sentinel retry"
    if target != delivery.stable and delivery.progress.message:
        return f"no step of {delivery.named(target)} is under way: {delivery.progress.message}"
    return f"{delivery.named(delivery.stable)} serves, and no other revision is on its way"


WORDS: Mapping[str, Callable[[Order, Delivery], Word]] = {
    "promote": _promote,
    "pause": _pause,
    "abort": _abort,
    "retry": _retry,
    "rollback": _rollback,
}
