"""Families of metrics, and the text that Prometheus reads (exposition format 0.0.4).

The official client cannot name a counter without `_total`, as dcgm-exporter does, and takes 10 MiB of memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all its samples; a label without a value is left out nowhere, for queries may ask for it."""

    name: str
    type: Literal["gauge", "counter"]
    help: str
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)

    def add(self, value: float | None, **labels: str) -> None:
        """Adds a sample; what is not known is not told."""
        if value is not None:
            self.samples.append((labels, value))


def gauge(name: str, text: str) -> Family:
    """Gives a gauge without samples."""
    return Family(name, "gauge", text)


def counter(name: str, text: str) -> Family:
    """Gives a counter without samples."""
    return Family(name, "counter", text)


def render(families: Iterable[Family]) -> bytes:
    """Writes the families that have samples."""
    return "".join(line for family in families if family.samples for line in _lines(family)).encode()


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help.translate(_HELP_ESCAPES)}\n# TYPE {family.name} {family.type}\n"
    for labels, value in family.samples:
        told = ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels.items())
        yield f"{family.name}{{{told}}} {_number(value)}\n" if told else f"{family.name} {_number(value)}\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
