"""What a statement over a scan must hold, and what is not one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sentinel_operator.api.attestation import DATASET, StatementError, read_statement
from sentinel_operator.api.scanning import PREDICATE_TYPE
from sentinel_workloads.scan.attest.canonical import canonical_model
from tests.support.scanned import a_statement


def test_a_statement_is_read_as_it_was_written() -> None:
    statement = a_statement()
    assert read_statement(canonical_model(statement)) == statement


def test_it_is_an_in_toto_statement() -> None:
    raw = json.loads(canonical_model(a_statement()))
    assert raw["_type"] == "https://in-toto.io/Statement/v1"
    assert raw["predicateType"] == PREDICATE_TYPE
    assert {subject["name"] for subject in raw["subject"]} >= {DATASET, "report.json", "clean.jsonl"}
    assert raw["predicate"]["complete"] is True


def silent_about_completeness(raw: dict[str, Any]) -> None:
    del raw["predicate"]["complete"]


def of_another_kind(raw: dict[str, Any]) -> None:
    raw["predicateType"] = "https://slsa.dev/provenance/v1"


def without_subjects(raw: dict[str, Any]) -> None:
    raw["subject"] = []


def without_root(raw: dict[str, Any]) -> None:
    del raw["predicate"]["results"]["merkleRoot"]


@pytest.mark.parametrize("change", [silent_about_completeness, of_another_kind, without_subjects, without_root])
def test_what_is_not_whole_is_no_statement(change: Callable[[dict[str, Any]], None]) -> None:
    raw = json.loads(canonical_model(a_statement()))
    change(raw)
    with pytest.raises(StatementError):
        read_statement(json.dumps(raw).encode())


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b'{"_type": 1, "_type": 2}', b"[" * 100_000, b"\xff"])
def test_what_is_no_json_of_ours_is_refused(payload: bytes) -> None:
    with pytest.raises(StatementError):
        read_statement(payload)


def test_a_subject_that_is_there_twice_is_refused() -> None:
    statement = a_statement()
    twice = statement.model_copy(update={"subject": (*statement.subject, statement.subject[0])})
    with pytest.raises(StatementError, match="over 2"):
        twice.digest_of(DATASET)
