"""Revisions that lie in files, and instructions that name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentinel_operator.api.active import ActiveConfig, RevisionConfig
from sentinel_operator.api.serving import FetchConfig, Retry, ServingConfig
from sentinel_workloads.fetch.artifact import digest_of
from tests.integration.fetch.harness import write_files

HASTY = Retry(deadline_seconds=0.5, initial_seconds=0.02, max_seconds=0.1)


def a_revision(root: Path, name: str, *, digest: str = "", **fetch: Any) -> RevisionConfig:
    """A folder of two files, and the revision that wants it."""
    folder = root / name
    if not folder.exists():
        write_files(folder, {"model.onnx": name.encode() * 1000, "more/labels.txt": b"x y"})
    return RevisionConfig(
        fetch=FetchConfig(
            **{"uri": f"file://{folder}/", "digest": digest or digest_of(folder), "retry": HASTY, **fetch}
        ),
        serving=ServingConfig(name="demo", namespace="team", revision=name),
    )


def naming(active: RevisionConfig, *others: RevisionConfig, serial: int = 1, **more: Any) -> ActiveConfig:
    """An instruction."""
    named = {each.serving.revision: each for each in (active, *others)}
    return ActiveConfig(serial=serial, active=active.serving.revision, revisions=tuple(named.values()), **more)
