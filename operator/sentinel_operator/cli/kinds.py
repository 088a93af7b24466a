"""What a person types for a kind or an object: any of the names that kubectl would take."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_operator.api.kinds import KINDS, SENTRY_MODEL, Kind
from sentinel_operator.cli.outcome import Exit, Failed


@dataclass(frozen=True, slots=True)
class Target:
    """One object, still without its namespace."""

    kind: Kind
    name: str

    @property
    def label(self) -> str:
        """Writes it as kubectl does: `sentrymodel/fraud`."""
        return f"{self.kind.kind.lower()}/{self.name}"


def kind_named(text: str) -> Kind:
    """Finds a kind by its plural, singular or short name, with or without the group."""
    for kind in KINDS:
        if text.lower() in _names(kind):
            return kind
    known = ", ".join(f"{kind.plural} ({', '.join(kind.short_names)})" for kind in KINDS)
    raise Failed(f"there is no kind {text!r}; there are {known}", Exit.USAGE)


def target(text: str) -> Target:
    """Reads KIND/NAME, or the NAME of a model."""
    kind, slash, name = text.partition("/")
    if not slash and text and not _names_kind(text):
        return Target(SENTRY_MODEL, text)
    if not slash or not name or "/" in name:
        raise Failed(f"{text!r} is not KIND/NAME, such as sm/fraud", Exit.USAGE)
    return Target(kind_named(kind), name)


def _names_kind(text: str) -> bool:
    return any(text.lower() in _names(kind) for kind in KINDS)


def _names(kind: Kind) -> set[str]:
    full = {kind.plural, kind.kind.lower()}
    return full | {f"{each}.{kind.group}" for each in full} | set(kind.short_names)


def selection(text: str | None) -> tuple[tuple[Kind, ...], str]:
    """Reads nothing (every kind), KIND or KIND/NAME; gives the kinds, and a name or an empty string."""
    if text is None:
        return KINDS, ""
    if "/" in text:
        found = target(text)
        return (found.kind,), found.name
    return (kind_named(text),), ""
