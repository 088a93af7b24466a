from __future__ import annotations

import pytest

from sentinel_operator.api.kinds import KINDS, SENTINEL_CONFIG, SENTRY_MODEL
from sentinel_operator.cli.grid import console
from sentinel_operator.cli.table import table
from tests.unit.cli.recording import CASES, NOW, golden, printed, recorded

MODELS = [{**(raw := recorded(case)), "metadata": {**raw["metadata"], "name": case}} for case in CASES]


def test_what_people_look_for_first() -> None:
    assert printed(table(SENTRY_MODEL, MODELS, now=NOW)) == golden("tables/get")


def test_wide_adds_the_url_the_signer_and_the_message() -> None:
    assert printed(table(SENTRY_MODEL, MODELS, now=NOW, wide=True)) == golden("tables/get-wide")


def test_namespaces_come_first_and_kinds_are_named_where_several_follow() -> None:
    lines = printed(table(SENTRY_MODEL, MODELS[:1], now=NOW, namespaces=True, kinds=True)).splitlines()
    assert lines[0].split()[:2] == ["NAMESPACE", "NAME"]
    assert lines[1].split()[:2] == ["team-a", f"sentrymodel/{CASES[0]}"]


def test_other_kinds_show_the_columns_that_they_declare() -> None:
    raw = {
        "kind": "SentinelConfig",
        "metadata": {"name": "default", "generation": 1, "creationTimestamp": "2025-03-01T11:00:00Z"},
        "spec": {"clusterId": "north"},
    }
    assert printed(table(SENTINEL_CONFIG, [raw], now=NOW)).splitlines() == [
        "NAME      READY     REASON        CLUSTER   AGE",
        "default   Unknown   NotObserved   north     60m",
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_an_object_that_nobody_looked_at_yet_has_a_row(kind: object) -> None:
    raw = {"kind": kind.kind, "metadata": {"name": "new"}}  # type: ignore[attr-defined]
    assert "NotObserved" in printed(table(kind, [raw], now=NOW, wide=True))  # type: ignore[arg-type]


def test_colours_are_for_terminals() -> None:
    lines = table(SENTRY_MODEL, MODELS, now=NOW)
    coloured = printed(lines, force_terminal=True, color_system="standard")
    assert "\x1b[31mFalse\x1b[0m" in coloured
    assert "\x1b[32mTrue\x1b[0m" in coloured
    assert "\x1b" not in printed(lines)


def test_no_color_is_respected_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert console(force_terminal=True).color_system is None
    assert "\x1b" not in printed(table(SENTRY_MODEL, MODELS, now=NOW), force_terminal=True)
