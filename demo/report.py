"""What the demo prints of what it saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from demo.client import Answer

_LONGEST = 58


def answers_table(title: str, answers: Iterable[Answer]) -> Table:
    """Gives the answers, one a row; a wrong one and an uncertain one are marked."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2))
    for column in ("asked", "truth", "answer"):
        table.add_column(column, no_wrap=True)
    table.add_column("confidence", justify="right")
    table.add_column("policy", no_wrap=True)
    for answer in answers:
        colour = "yellow" if answer.uncertain else ("green" if answer.label == answer.expected else "red")
        table.add_row(
            _cut(answer.given),
            answer.expected,
            f"[{colour}]{answer.label}[/]" + (" (uncertain)" if answer.uncertain else ""),
            f"{answer.score:.3f}",
            " ".join(f"{key}={value}" for key, value in answer.policy.items()),
        )
    return table


def status_table(objects: Iterable[Mapping[str, Any]]) -> Table:
    """Gives each object's own account of itself: what serves, who signed it, why it is as it is."""
    table = Table(title="What the objects say of themselves", title_justify="left", box=None, padding=(0, 2))
    for column in ("SentryModel", "ready", "reason", "version", "pods", "signed by", "message"):
        table.add_column(column)
    for item in objects:
        status = item.get("status", {})
        ready: dict[str, Any] = next((one for one in status.get("conditions", ()) if one["type"] == "Ready"), {})
        colour = {"True": "green", "False": "red"}.get(ready.get("status", ""), "yellow")
        verified = status.get("verification") or {}
        table.add_row(
            item["metadata"]["name"],
            f"[{colour}]{ready.get('status', 'Unknown')}[/]",
            ready.get("reason", ""),
            (status.get("stable") or {}).get("version", ""),
            str(status.get("readyReplicas", 0)),
            f"{verified.get('authority', '')} {verified.get('identity', '')[:19]}".strip(),
            ready.get("message", ""),
        )
    return table


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
