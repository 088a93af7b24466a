from __future__ import annotations

from pathlib import Path

import pytest

from sentinel_operator.cli.cluster import Where, explained, kubeconfig_of, namespace_of
from sentinel_operator.cli.outcome import Exit
from sentinel_operator.engine.errors import ApiError, api_error

HOST = "https://cluster.test:6443"
FAULTS: dict[str, tuple[ApiError, str]] = {
    "no connection": (ApiError("connection refused"), f"cannot reach the API server at {HOST}: connection refused"),
    "not logged in": (api_error(401, {"message": "Unauthorized"}, None), "log in again"),
    "not allowed": (api_error(403, {"message": "sentrymodels is forbidden"}, None), "sentinel-view"),
    "no CRDs": (api_error(404, {"message": "404 page not found"}, None), "Are its CRDs installed?"),
    "overload": (api_error(429, {"message": "too many requests"}, "1"), "answered 429: too many requests; try again"),
    "a fault": (api_error(500, {"message": "etcdserver: timed out"}, None), "answered 500: etcdserver: timed out"),
    "a mistake": (api_error(400, {"message": "bad selector"}, None), "answered 400: bad selector"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_every_fault_of_the_api_server_says_what_to_check(case: str) -> None:
    error, said = FAULTS[case]
    failed = explained(error, host=HOST)
    assert failed.code is Exit.UNREACHABLE
    assert said in str(failed)


def test_a_list_of_kubeconfigs_is_merged_as_kubectl_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("current-context: b\ncontexts: [{name: a, context: {namespace: team-a}}]\n")
    two.write_text("contexts: [{name: b, context: {namespace: team-b}}]\n")
    monkeypatch.setenv("KUBECONFIG", f"{one}:{tmp_path / 'missing'}:{two}")
    files = kubeconfig_of(Where())
    assert namespace_of(files, None) == "team-b"
    assert namespace_of(files, "a") == "team-a"


def test_in_a_pod_its_service_account_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    assert kubeconfig_of(Where()) == ""
    assert namespace_of("", None) == "default"
