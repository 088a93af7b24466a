"""Settings come from flags, then the environment, then defaults, and bad ones name themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel_operator.config import parse


def test_defaults_hold_without_anything() -> None:
    settings = parse([], {})
    assert (settings.api_timeout, settings.resync, settings.webhook_port) == (30.0, 600.0, 9443)
    assert settings.kubeconfig is None
    assert parse([], {}).identity != settings.identity, "every process is its own"


def test_a_flag_goes_before_the_environment() -> None:
    environment = {"SENTINEL_WORKERS": "3", "SENTINEL_RESYNC": "90s", "SENTINEL_WEBHOOK": "false"}
    settings = parse(["--workers", "5", "--kubeconfig", "/x", "--webhook-names", "a,b"], environment)
    assert (settings.workers, settings.resync, settings.webhook) == (5, 90.0, False)
    assert settings.kubeconfig == Path("/x")
    assert settings.webhook_names == ("a", "b")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--api-timeout", "30"], "--api-timeout"),
        (["--workers", "0"], "--workers"),
        (["--http-port", "70000"], "--http-port"),
        (["--webhook", "maybe"], "--webhook"),
        (["--log-level", "loud"], "--log-level"),
        (["--lease-deadline", "20s"], "lease times"),
    ],
)
def test_a_bad_value_is_named(arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments, {})
    assert named in capsys.readouterr().err
