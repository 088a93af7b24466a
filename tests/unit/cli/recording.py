"""Objects as a cluster had them, and how lines look when they are printed."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.text import Text

from sentinel_operator.cli.grid import console, show
from sentinel_operator.cli.story import Gathered

HERE = Path(__file__).parent
NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
CASES = sorted(path.stem for path in (HERE / "recorded").glob("*.yaml"))


def recorded(case: str) -> dict[str, Any]:
    """Gives the recorded object of a case."""
    return _recording(case)["object"]


def gathered(case: str) -> Gathered:
    """Gives all that was recorded of a case."""
    found = _recording(case)
    return Gathered(raw=found["object"], pods=found["pods"], events=found["events"])


def golden(name: str) -> str:
    """Gives the text as it is meant to be."""
    return (HERE / "golden" / f"{name}.txt").read_text(encoding="utf-8")


def printed(lines: list[Text], **terminal: Any) -> str:
    """Gives what a pipe, or the terminal that is described, would get."""
    out = io.StringIO()
    show(lines, console(file=out, width=40, **terminal))
    return out.getvalue()


def _recording(case: str) -> dict[str, Any]:
    return yaml.safe_load((HERE / "recorded" / f"{case}.yaml").read_text(encoding="utf-8"))
