"""The model's volume of a pod as the sidecar leaves it, and the server that follows it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx

from tests.integration.model_server.process import ModelServer, tabular
from tests.unit.model_server import graphs

SCHEMA = tabular("a b c", "x y")


class Pod:
    """Revisions by name; `instruct` writes the instruction as the sidecar does, by rename."""

    def __init__(self, folder: Path, **process: Any) -> None:
        self.folder = folder
        self.serial = 0
        self.revisions: dict[str, dict[str, Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        config = {"name": "demo", "namespace": "team", "revision": "process", **SCHEMA, **process}
        (folder / "serving.json").write_text(json.dumps(config))

    def add(self, name: str, model: onnx.ModelProto | Path | bytes, *, version: str = "", **config: Any) -> None:
        """Lays a revision out, verified."""
        home = self.folder / "revisions" / name
        artifact = home / "artifact"
        if isinstance(model, Path):
            shutil.copytree(model, artifact)
        elif isinstance(model, bytes):
            artifact.mkdir(parents=True)
            (artifact / "model.onnx").write_bytes(model)
        else:
            graphs.save(model, artifact / "model.onnx")
        (home / "verified.json").write_text(json.dumps({"digest": f"sha256:{name}"}))
        serving = {"name": "demo", "namespace": "team", "revision": name, "version": version, **SCHEMA, **config}
        self.revisions[name] = {"serving": {**serving, "modelDir": str(artifact)}, "state": "Verified"}

    def lack(self, name: str, state: str, **failure: str) -> None:
        """Has a revision that is not there (yet)."""
        serving = {"name": "demo", "namespace": "team", "revision": name, **SCHEMA}
        self.revisions[name] = {"serving": serving, "state": state, **({"failure": failure} if failure else {})}

    def instruct(self, active: str, *named: str, **more: Any) -> None:
        """Names revisions."""
        self.serial += 1
        names = dict.fromkeys((active, *named))
        body = {"serial": self.serial, "active": active, "revisions": [self.revisions[n] for n in names], **more}
        part = self.folder / "active.json.part"
        part.write_text(json.dumps(body))
        part.rename(self.folder / "active.json")

    @contextmanager
    def served(self) -> Iterator[ModelServer]:
        """Runs the server until it is ready."""
        server = ModelServer(self.folder, follow=True)
        try:
            server.says("ready")
            yield server
        finally:
            server.kill()


def answers(server: ModelServer) -> str:
    """Gives the revision that answers now."""
    status, body, _ = server.ask("/v1/predict", {"features": {"a": 5, "b": 0, "c": 0}})
    assert status == 200, body
    return str(body["model"]["revision"])


def standing(server: ModelServer, name: str) -> tuple[str, str, str]:
    """Gives role, state and reason of a revision as the metrics tell them."""
    found = [
        labels for labels, _ in server.series("sentinel_model_server_revision_state") if labels["revision"] == name
    ]
    return (found[0]["role"], found[0]["state"], found[0]["reason"]) if found else ("", "", "")


def index(server: ModelServer) -> dict[str, tuple[str, str]]:
    """Gives state and reason by version from the repository index."""
    _, body, _ = server.ask("/v2/repository/index", b"")
    return {each["version"]: (each["state"], each["reason"]) for each in body}
