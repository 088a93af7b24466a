"""The parts of a swap by themselves: what is kept, how it is judged, what is remembered over a death."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sentinel_operator.api.active import Instruction, LocalRevision, ParityLimits
from sentinel_operator.api.serving import ExitCode, ServingConfig, Termination
from sentinel_workloads.model_server.api.sample import OVERHEAD_BYTES, Answered, Sample
from sentinel_workloads.model_server.model import inspect_apart as apart
from sentinel_workloads.model_server.model.inspect import inspect
from sentinel_workloads.model_server.swap.loading import Crashes
from sentinel_workloads.model_server.swap.parity import Parity, Verdict, verdict
from sentinel_workloads.model_server.swap.ring import Ring
from sentinel_workloads.model_server.swap.standing import Standing, State, reason_of
from sentinel_workloads.model_server.unservable import Unservable
from tests.unit.model_server import graphs

CONFIG = ServingConfig(name="m", namespace="n", revision="r")


def put(ring: Ring, *bodies: bytes) -> None:
    for body in bodies:
        ring.answered(Answered(Sample(b"/v1/predict", body), work=None, revision=None, seconds=0.0))  # type: ignore[arg-type]


def kept(ring: Ring) -> list[bytes]:
    return [sample.body for sample in ring.last()]


def test_a_ring_keeps_the_last_in_number_and_in_bytes():
    ring = Ring()
    put(ring, b"before anybody wanted any")
    assert len(ring) == 0
    ring.resize(most=3, most_bytes=10_000)
    put(ring, b"1", b"2", b"3", b"4")
    assert kept(ring) == [b"2", b"3", b"4"]
    ring.resize(most=3, most_bytes=2 * OVERHEAD_BYTES + 10)
    assert kept(ring) == [b"3", b"4"]
    put(ring, b"x" * 10_000)
    assert kept(ring) == [b"3", b"4"], "what would drive out all the others is not kept"
    put(ring, b"y" * OVERHEAD_BYTES)
    assert kept(ring) == [b"y" * OVERHEAD_BYTES]
    ring.resize(most=0, most_bytes=0)
    assert (len(ring), ring.bytes) == (0, 0)


def a_parity(**figures: object) -> Parity:
    made = Parity(against="a", inputs=50, rows=100, agreed=99, score_difference=0.05)
    made.active_seconds, made.candidate_seconds = [0.001] * 50, [0.002] * 50
    for name, value in figures.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("parity", "limits", "expected", "why"),
    [
        pytest.param(None, {}, Verdict.INCONCLUSIVE, "0 of 20 inputs", id="nothing compared"),
        pytest.param(a_parity(inputs=19), {}, Verdict.INCONCLUSIVE, "19 of 20", id="too few"),
        pytest.param(a_parity(), {}, Verdict.PASS, "99.0%", id="as good"),
        pytest.param(a_parity(agreed=94), {}, Verdict.FAIL, "94.0%, the least is 95.0%", id="disagrees"),
        pytest.param(a_parity(agreed=90, failures=9), {}, Verdict.FAIL, "9 of its requests failed", id="fails"),
        pytest.param(
            a_parity(), {"max_score_difference": 0.01}, Verdict.FAIL, "differs by 0.05", id="scores are another"
        ),
        pytest.param(a_parity(), {"max_latency_ratio": 1.5}, Verdict.FAIL, "takes 2 times", id="slower"),
        pytest.param(a_parity(), {"max_latency_ratio": 2.5}, Verdict.PASS, "", id="slower, but not too slow"),
        pytest.param(a_parity(rows=0, agreed=0), {}, Verdict.PASS, "", id="no rows at all agree"),
    ],
)
def test_a_comparison_is_judged_by_its_limits(parity: Parity | None, limits: dict, expected: Verdict, why: str):
    found, said = verdict(parity, ParityLimits(**limits))
    assert found is expected
    assert why in said


def local(state: str, **failure: str) -> LocalRevision:
    return LocalRevision(serving=CONFIG, state=state, failure=Termination(**failure) if failure else None)  # type: ignore[arg-type]


def test_a_revision_is_loaded_once_it_is_there_and_what_failed_to_load_is_not_loaded_again():
    standing = Standing(CONFIG)
    standing.update(local("Fetching"))
    assert standing.state is State.FETCHING
    standing.update(local("Failed", reason="NotFound", field="spec.model.source", message="nothing there"))
    assert (standing.state, standing.reason) == (State.FAILED, "NotFound")
    instruction = Instruction(serial=1, active="a", candidate="r", revisions=())
    assert reason_of(standing, instruction) == "Candidate: NotFound: spec.model.source: nothing there"
    standing.update(local("Fetching"))
    assert (standing.state, standing.reason) == (State.FETCHING, "")
    standing.update(local("Verified"))
    assert standing.state is State.LOADING
    standing.fail("ModelUnreadable", "no ONNX")
    standing.update(local("Verified"))
    assert standing.state is State.FAILED


def test_deaths_while_loading_are_counted_and_forgotten_when_it_was_survived(tmp_path: Path):
    crashes = Crashes(tmp_path)
    assert crashes.of("r") == 0
    with crashes.counted("r"):
        assert Crashes(tmp_path).of("r") == 1
        with Crashes(tmp_path).counted("r"):  # the process died and was started again
            assert Crashes(tmp_path).of("r") == 2
            assert Crashes(tmp_path).of("other") == 0
    assert Crashes(tmp_path).of("r") == 0


def test_a_large_file_is_read_in_a_process_of_its_own_and_gives_the_same(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(apart, "SMALL_BYTES", 0)
    models = {
        "named": graphs.linear_classifier(3, 2, features='["a", "b", "c"]'),
        "rewritten": graphs.tree_classifier(3, ["x", "y"], zip_map=True),
    }
    for name, model in models.items():
        path = tmp_path / name / "model.onnx"
        graphs.save(model, path)
        assert apart.inspect_apart(path) == inspect(path)


def test_a_large_file_that_is_no_model_is_refused_with_the_same_words(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(apart, "SMALL_BYTES", 0)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"PK\x03\x04 no model")
    with pytest.raises(Unservable) as here:
        inspect(path)
    with pytest.raises(Unservable) as there:
        apart.inspect_apart(path)
    assert (there.value.code, there.value.message) == (ExitCode.ModelUnreadable, here.value.message)


def test_the_model_of_a_sample_by_grpc_counts_its_bytes():
    from sentinel_workloads.model_server.oip import oip_pb2 as pb

    message = pb.ModelInferRequest(model_name="m", raw_input_contents=[np.zeros(100, np.float32).tobytes()])
    assert Sample(b"", b"", message=message).size > OVERHEAD_BYTES + 400
