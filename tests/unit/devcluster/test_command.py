"""What the command line says when it cannot do what it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster.__main__ import main
from devcluster.images import IMAGES


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_STATE", str(tmp_path))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["build", "nothing"],
            f"there is no image 'nothing'; there are {', '.join(IMAGES)}",
        ),
        (
            ["status", "--name", "absent"],
            "cluster absent is not up; `python -m devcluster up --name absent` brings it up",
        ),
        (["kubectl", "--name", "absent", "get", "pods"], "cluster absent is not up"),
        (["up", "--api-only", "--name", "Not_A_Name"], "'Not_A_Name' is no name for a cluster"),
    ],
)
def test_it_says_what_is_wrong(words: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    assert main(words) == 1
    assert said in capsys.readouterr().err


def test_removing_what_is_not_there_is_no_error():
    assert main(["down", "--name", "absent"]) == 0
    assert main(["down", "--all"]) == 0
