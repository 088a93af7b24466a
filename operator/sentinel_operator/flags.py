"""Flags of a process, each with an environment variable of the same name, each with a default."""

from __future__ import annotations

import argparse
import re
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path

_ENV_PREFIX = "SENTINEL_"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
HELP = (
    "Every flag may be given as an environment variable too: "
    "--api-timeout is SENTINEL_API_TIMEOUT. Durations are numbers with a unit: 500ms, 30s, 10m."
)


class Reader:
    """Adds flags whose defaults come from the environment."""

    def __init__(self, parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
        self._parser, self._environment = parser, environment

    def add(self, name: str, default: object, text: str, *, type: object = str) -> None:  # noqa: A002 - as argparse's
        """Adds one."""
        variable = _ENV_PREFIX + name.upper().replace("-", "_")
        chosen = self._environment.get(variable) or default
        self._parser.add_argument(f"--{name}", default=chosen, help=text, type=type)  # type: ignore[arg-type]


def duration(text: str) -> float:
    """Reads a number of seconds above zero."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", text)
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration above zero, such as 500ms, 30s or 10m")
    return seconds


def positive(text: str) -> int:
    """Reads a number above zero."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above zero")
    return int(text)


def port(text: str) -> int:
    """Reads the number of a port."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; 0 takes a free one")
    return int(text)


def switch(text: str) -> bool:
    """Reads true or false."""
    if text.lower() not in {"true", "false"}:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def level(text: str) -> str:
    """Reads the name of a level of logs."""
    if text.lower() not in {"debug", "info", "warning", "error"}:
        raise argparse.ArgumentTypeError(f"{text!r} is none of debug, info, warning, error")
    return text.lower()


def own_namespace() -> str:
    """Gives the pod's namespace, outside of one the usual one."""
    try:
        return _SERVICE_ACCOUNT_NAMESPACE.read_text().strip() or "sentinel-system"
    except OSError:
        return "sentinel-system"


def identity() -> str:
    """Gives a name that no other process bears."""
    return f"{socket.gethostname()}_{uuid.uuid4().hex[:12]}"
