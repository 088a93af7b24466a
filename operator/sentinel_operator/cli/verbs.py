"""A verb as it is said of one model: it replaces what is over, and is refused where another one stands in its way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentinel_operator.cli.delivery import Delivery
from sentinel_operator.cli.words import WORDS, Order, Refused, Word


def word(order: Order, delivery: Delivery, *, force: bool = False) -> Word:
    """Gives what to write; raises Refused where it would do nothing, or where another verb stands in its way."""
    if order.verb in {"resume", "undo"}:
        return _resume(delivery) if order.verb == "resume" else _undo(delivery)
    found = WORDS[order.verb](order, delivery)
    said = delivery.said
    if said.get(found.field) == found.value:
        return Word(told=f"spec.rollout.{found.field} says so already")
    others = tuple(verb for verb in said if verb != found.field)
    for verb in said:
        if not force and verb not in _YIELDS[found.field] and in_force(verb, said[verb], delivery):
            raise Refused(
                f"spec.rollout.{verb} is set and in force: take it back first (kubectl sentinel undo), or put this in "
                "its place with --force",
                overridable=True,
            )
    return Word(told=found.told, field=found.field, value=found.value, removes=others, before=said.get(found.field))


_YIELDS: Mapping[str, frozenset[str]] = {
    "promote": frozenset({"promote"}),
    "paused": frozenset({"promote"}),
    "abort": frozenset({"promote", "paused", "retry"}),
    "retry": frozenset({"abort", "retry"}),
    "rollbackTo": frozenset({"promote", "paused", "abort", "retry", "rollbackTo"}),
}
"""What each replaces although it is in force: to stop something, it must not have to be taken back first."""


def in_force(verb: str, value: Any, delivery: Delivery) -> bool:
    """Tells whether a verb that is set still does something; what it was meant for may be over."""
    progress, candidate, target = delivery.progress, delivery.candidate, delivery.target
    match verb:
        case "promote":
            named = (value.get("revision"), value.get("attempt", 1)) == (candidate, progress.attempt)
            return named and (bool(value.get("full")) or int(value.get("step") or 0) >= progress.step)
        case "paused":
            return bool(value in {candidate, target} and value != delivery.stable)
        case "abort":
            return bool(value == target and value != delivery.stable)
        case "retry":
            record = delivery.record(target)
            made = record.attempt if record is not None else 0
            return bool(value.get("revision") == target and not candidate and value.get("attempt", 2) > made)
        case _:
            return delivery.went_back is not None


def _resume(delivery: Delivery) -> Word:
    if "paused" not in delivery.said:
        hint = ""
        if delivery.progress.phase == "Paused" and delivery.candidate:
            hint = "; it waits to be promoted: kubectl sentinel promote"
        raise Refused(f"nothing to resume: spec.rollout.paused is not set{hint}")
    revision = str(delivery.said["paused"])
    return Word(told=f"{delivery.named(revision)} goes on", removes=("paused",))


def _undo(delivery: Delivery) -> Word:
    said = delivery.said
    if not said:
        raise Refused("nothing to undo: spec.rollout has no verb")
    return Word(told="; ".join(_undone(verb, delivery) for verb in said), removes=tuple(said))


def _undone(verb: str, delivery: Delivery) -> str:
    value = delivery.said[verb]
    if not in_force(verb, value, delivery):
        return f"spec.rollout.{verb} goes; it did nothing any more"
    match verb:
        case "rollbackTo":
            return f"{delivery.named(str(value.get('insteadOf')))} is delivered again, as the spec asks for it"
        case "abort":
            return f"spec.rollout.abort goes; {delivery.named(str(value))} stays barred until retry"
        case "paused":
            return f"{delivery.named(str(value))} goes on"
        case _:
            return f"spec.rollout.{verb} goes; what was done upon it stays done"
