"""The machine's setting is as it was once the last cluster is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster import kernel


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kernel, "_INOTIFY", tmp_path / "max_user_instances")
    monkeypatch.setattr(kernel, "_BEFORE", tmp_path / "before")
    return tmp_path / "max_user_instances"


def test_it_is_raised_once_and_restored(setting: Path):
    setting.write_text("128\n")

    kernel.prepare()
    kernel.prepare()
    assert int(setting.read_text()) > 128

    kernel.restore()
    kernel.restore()
    assert int(setting.read_text()) == 128
    assert list(setting.parent.iterdir()) == [setting]


def test_a_machine_that_has_enough_is_left_alone(setting: Path):
    setting.write_text("8192\n")

    kernel.prepare()
    kernel.restore()

    assert setting.read_text() == "8192\n"
