"""Checks measured figures against gates.yaml: each gate is a range, with the mean and spread that it was set from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

GATES = Path(__file__).with_name("gates.yaml")


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure's allowed range; an open end is infinite."""

    low: float
    high: float
    unit: str
    set_from: str

    def holds(self, value: float) -> bool:
        """Tells whether the value lies in the range."""
        return self.low <= value <= self.high


def load(section: str) -> dict[str, Gate]:
    """Reads one section of gates.yaml."""
    raw = yaml.safe_load(GATES.read_text())[section]
    return {
        name: Gate(
            low=float(entry.get("min", "-inf")),
            high=float(entry.get("max", "inf")),
            unit=str(entry.get("unit", "")),
            set_from=str(entry.get("from", "")),
        )
        for name, entry in raw.items()
    }


def report(section: str, figures: Mapping[str, float], *, console: Console | None = None) -> bool:
    """Prints every figure beside its gate; gives False when one lies outside, or when a gate has no figure."""
    gates = load(section)
    table = Table(title=section, title_justify="left", box=None, padding=(0, 2))
    for column, justify in (("figure", "left"), ("measured", "right"), ("gate", "right"), ("", "left")):
        table.add_column(column, justify="right" if justify == "right" else "left")
    held = True
    for name in sorted({*figures, *gates}):
        value, gate = figures.get(name), gates.get(name)
        good = value is not None and (gate is None or gate.holds(value))
        held &= good
        table.add_row(
            name,
            "not measured" if value is None else f"{value:,.3g}",
            "" if gate is None else f"{gate.low:g} … {gate.high:g} {gate.unit}",
            "" if gate is None else ("ok" if good else "OUTSIDE"),
        )
    (console or Console()).print(table)
    return held
