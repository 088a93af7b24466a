"""The table of `get`: a row an object, and what a person looks for first in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from sentinel_operator.api.kinds import SENTRY_MODEL, Column, Kind
from sentinel_operator.cli.ages import age
from sentinel_operator.cli.grid import Cell, grid, styled
from sentinel_operator.cli.standing import revisions, standing, status_of, versions, wanted
from sentinel_operator.core.plan import Manifest

NONE = "<none>"
_STEP = re.compile(r"\.([A-Za-z]\w*)(?:\[\?\(@\.type==\"(\w+)\"\)\])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """One column: its name, what stands in it, and whether it is for `-o wide` alone."""

    name: str
    value: Callable[[Manifest], Cell]
    wide: bool = False


def table(
    kind: Kind,
    items: Sequence[Manifest],
    *,
    now: datetime,
    wide: bool = False,
    namespaces: bool = False,
    kinds: bool = False,
) -> list[Text]:
    """Gives the lines of the table; `kinds` writes `sentrymodel/NAME`, where tables of several kinds follow."""
    prefix = f"{kind.kind.lower()}/" if kinds else ""
    headings = [
        *(
            [Heading(name="NAMESPACE", value=lambda raw: str(raw["metadata"].get("namespace", "")))]
            if namespaces
            else []
        ),
        Heading(name="NAME", value=lambda raw: prefix + raw["metadata"]["name"]),
        Heading(name="READY", value=lambda raw: styled(standing(raw).ready, standing(raw).style)),
        Heading(name="REASON", value=lambda raw: standing(raw).reason),
        *(heading for heading in _own(kind) if wide or not heading.wide),
        Heading(name="AGE", value=lambda raw: age(raw["metadata"].get("creationTimestamp"), now)),
        *([Heading(name="MESSAGE", value=lambda raw: standing(raw).message)] if wide else []),
    ]
    rows: list[list[Cell]] = [[heading.name for heading in headings]]
    rows += [[heading.value(raw) for heading in headings] for raw in items]
    return grid(rows)


def _own(kind: Kind) -> Sequence[Heading]:
    if kind.kind == SENTRY_MODEL.kind:
        return _SENTRY_MODEL
    return [_declared(column) for column in kind.columns if column.name not in {"Ready", "Reason", "Message"}]


def _declared(column: Column) -> Heading:
    """Shows a column that the CRD declares."""
    return Heading(name=column.name.upper(), value=lambda raw: _at(raw, column.path) or NONE, wide=column.priority > 0)


def _at(raw: Manifest, path: str) -> str:
    """Follows the part of JSONPath that our columns use: fields, and the entry of a list by its type."""
    found: object = raw
    for name, type_ in _STEP.findall(path):
        found = found.get(name) if isinstance(found, dict) else None
        if type_:
            entries = found if isinstance(found, list) else []
            found = next((entry for entry in entries if entry.get("type") == type_), None)
    return "" if found is None else str(found)


def _replicas(raw: Manifest) -> str:
    return f"{status_of(raw).ready_replicas or 0}/{wanted(raw)}"


def _signer(raw: Manifest) -> str:
    found = status_of(raw).verification
    return (found.authority if found else "") or NONE


_NAMESPACE = Heading(name="NAMESPACE", value=lambda raw: str(raw["metadata"].get("namespace", "")))
_SENTRY_MODEL = (
    Heading(name="VERSION", value=lambda raw: versions(raw) or NONE),
    Heading(name="REPLICAS", value=_replicas),
    Heading(name="REVISION", value=lambda raw: revisions(raw) or NONE),
    Heading(name="PHASE", value=lambda raw: status_of(raw).phase or NONE, wide=True),
    Heading(name="SIGNED-BY", value=_signer, wide=True),
    Heading(name="URL", value=lambda raw: status_of(raw).url or NONE, wide=True),
)
