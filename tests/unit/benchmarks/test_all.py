"""`python -m benchmarks` runs what is there and says of all together whether it is as it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import HERE, found, main

GOOD, OUTSIDE, BROKEN = "print('measured')", "raise SystemExit(1)", "raise SystemExit(3)"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "figures"


def a_benchmark(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__main__.py").write_text(text)


def test_every_benchmark_of_the_project_is_found():
    assert {"model_server", "operator"} <= set(found(HERE))


def test_it_is_well_when_every_gate_holds(folder: Path, capfd: pytest.CaptureFixture[str]):
    a_benchmark(folder, "one", GOOD)
    a_benchmark(folder, "two", GOOD)
    assert main([], folder=folder) == 0
    out = capfd.readouterr().out
    assert out.count("measured") == 2
    assert "every gate holds" in out


def test_one_that_fails_lets_the_others_run_and_is_named(folder: Path, capfd: pytest.CaptureFixture[str]):
    a_benchmark(folder, "broken", BROKEN)
    a_benchmark(folder, "outside", OUTSIDE)
    a_benchmark(folder, "well", GOOD)
    assert main([], folder=folder) == 1
    out = capfd.readouterr().out
    assert "measured" in out
    assert "BROKEN (exit code 3)" in out
    assert "not as it should be: broken, outside" in out


def test_those_that_are_named_run_and_no_others(folder: Path, capfd: pytest.CaptureFixture[str]):
    a_benchmark(folder, "outside", OUTSIDE)
    a_benchmark(folder, "well", GOOD)
    assert main(["well"], folder=folder) == 0
    with pytest.raises(SystemExit) as ended:
        main(["well", "speed"], folder=folder)
    assert ended.value.code == 2
    assert "there is no speed; there are outside, well" in capfd.readouterr().err
