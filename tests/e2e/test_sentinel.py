"""`kubectl sentinel` before live objects: what serves, what does not and why, and what a declaration becomes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.world import MODEL, Raw, World

pytestmark = pytest.mark.xdist_group("sentinel")

PROGRAM = Path(sys.executable).with_name("kubectl-sentinel")


@pytest.fixture(scope="module")
def declared(lasting_world: World) -> Raw:
    """Gives a model that is ready; beside it one is refused, and one waits for a Secret."""
    refused, waiting = lasting_world.model("refused", unsigned=True), lasting_world.model("waiting")
    waiting["spec"]["model"]["source"]["objectStore"]["credentialsSecretRef"] = {"name": "absent"}
    serving = lasting_world.model()
    lasting_world.apply(serving, refused, waiting)
    lasting_world.await_ready()
    lasting_world.await_ready("refused", status="False", reason="SignatureInvalid")
    lasting_world.await_ready("waiting", status="False", reason="ReferenceNotFound")
    return serving


def test_get_lists_them(lasting_world: World, declared: Raw) -> None:
    code, out, err = _sentinel(lasting_world, "get", "sm")
    assert (code, err) == (0, "")
    header, *rows = (line.split() for line in out.splitlines())
    assert header[:5] == ["NAME", "READY", "REASON", "VERSION", "REPLICAS"]
    told = {row[0]: row[1:3] for row in rows}
    assert told == {
        MODEL: ["True", "Ready"],
        "refused": ["False", "SignatureInvalid"],
        "waiting": ["False", "ReferenceNotFound"],
    }
    live = {
        each["metadata"]["name"]: each["spec"]
        for each in json.loads(_out(lasting_world, "get", "sm", "-o", "json"))["items"]
    }
    assert live == {each["metadata"]["name"]: each["spec"] for each in lasting_world.list("sentrymodels")}


def test_describe_tells_of_one_that_is_ready(lasting_world: World, declared: Raw) -> None:
    code, out, err = _sentinel(lasting_world, "describe", f"sm/{MODEL}")
    assert (code, err) == (0, "")
    assert out.startswith("Serving 1.0.0 with 1 of 1 pod. Waiting for nothing. Nothing to do.\n")
    verified = lasting_world.get("sentrymodel", MODEL)["status"]["verification"]
    assert f"signed by     {verified['authority']}" in out
    for pod in lasting_world.list("pods", f"sentinel.dev/name={MODEL}"):
        assert pod["metadata"]["name"] in out
    for event in ("NewRevision", "ModelVerified", "RevisionPromoted"):
        assert event in out


@pytest.mark.parametrize(
    ("name", "first", "field", "container"),
    [
        ("refused", "Waiting for you: SignatureInvalid: ", "spec.model.verify", "SignatureInvalid (exit code 11)"),
        (
            "waiting",
            "Waiting: ReferenceNotFound: ",
            "spec.model.source.objectStore.credentialsSecretRef",
            "CreateContainerConfigError",
        ),
    ],
)
def test_describe_says_why_one_does_not_serve(
    lasting_world: World, declared: Raw, name: str, first: str, field: str, container: str
) -> None:
    code, out, err = _sentinel(lasting_world, "describe", f"sm/{name}")
    assert (code, err) == (1, "")
    headline = out.splitlines()[0]
    assert headline.startswith("Not serving: 0 of 1 pod ready. ")
    assert first in headline
    assert field in headline
    assert " To do: " in headline
    assert container in out


def test_what_is_rendered_is_what_is_made(lasting_world: World, declared: Raw, tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump(declared))
    rendered = list(
        yaml.safe_load_all(_out(lasting_world, "render", str(file), "--namespace", lasting_world.namespace))
    )
    kinds = {each["kind"] for each in rendered}
    assert {"Deployment", "ConfigMap", "Service", "ServiceAccount", "NetworkPolicy"} <= kinds
    for each in rendered:
        live = lasting_world.get(each["kind"], each["metadata"]["name"])
        assert _lacks(each, live, each["kind"]) == []


def _sentinel(world: World, *words: str) -> tuple[int, str, str]:
    offline = words[0] == "render"
    where = [] if offline else ["--kubeconfig", str(world.cluster.kubeconfig), "--namespace", world.namespace]
    done = subprocess.run([PROGRAM, *words, *where], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def _out(world: World, *words: str) -> str:
    code, out, err = _sentinel(world, *words)
    assert code == 0, err
    return out


def _lacks(wanted: Any, live: Any, path: str) -> list[str]:
    """Names what is wanted and is not so; the API server may add to objects."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return [line for key, value in wanted.items() for line in _lacks(value, live.get(key), f"{path}.{key}")]
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        return [line for i, pair in enumerate(zip(wanted, live, strict=True)) for line in _lacks(*pair, f"{path}[{i}]")]
    return [] if wanted == live else [f"{path}: {wanted!r} became {live!r}"]
