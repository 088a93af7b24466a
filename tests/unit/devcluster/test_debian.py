"""A missing program is named with the package that has it."""

from __future__ import annotations

import os

import pytest

from devcluster import debian
from devcluster.errors import DevclusterError


def test_what_is_there_is_not_installed():
    debian.require({"sh": "dash", "/bin/sh": "dash"}, _never)


def test_without_root_the_packages_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(DevclusterError, match="apt-get install one two"):
        debian.require({"no-such-program": "two", "/no/such/file": "one", "sh": "dash"}, _never)


def _never(text: str) -> None:
    raise AssertionError(text)
