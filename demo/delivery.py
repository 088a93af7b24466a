"""Two new versions under real requests: one that is as good as the old, and one that is never sure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from demo.install import NAMESPACE, ready_of
from demo.load import Load, Tally
from devcluster.errors import DevclusterError
from devcluster.providers import AnyCluster

Raw = dict[str, Any]
Say = Callable[[str], None]
SECONDS = 240.0
_QUICK: Raw = {"interval": "3s", "count": 3}
ROLLOUT: Raw = {
    "strategy": "Canary",
    "canary": {
        "steps": [
            {"setWeight": 50},
            {
                "analysis": {
                    "minSamples": 20,
                    "metrics": [
                        {"name": "errors", "builtin": "error-rate", **_QUICK},
                        {"name": "labels", "builtin": "label-agreement", "min": 0.8, **_QUICK},
                        {"name": "uncertain", "builtin": "uncertain-share", "max": 0.5, **_QUICK},
                    ],
                }
            },
        ]
    },
}
"""Quick, so that it can be watched; the default takes nine minutes."""


def deliver_two(cluster: AnyCluster, *, example: Path, index: Path, load: Load, say: Say) -> Tally:
    """Delivers the good version and then the bad one while a pod asks without pause; gives what that pod got."""
    model: Raw = yaml.safe_load(example.read_text())
    before = load.tally()
    say("1.1.0, as good as 1.0.0:")
    _deliver(cluster, _good(model, index), say=say, until="True")
    say("1.1.0 with a threshold that no answer reaches:")
    _deliver(cluster, _never_sure(_good(model, index)), say=say, until="RevisionRejected")
    _deliver(cluster, _good(model, index), say=say, until="True")
    return load.tally().since(before)


@contextmanager
def asked_without_pause(cluster: AnyCluster, model: str, *, node: str) -> Iterator[Load]:
    """Has a pod on the node ask the model over every kind of connection, until the end of the block."""
    load = Load(cluster, NAMESPACE, model, (f"kept={model}:8080", f"fresh={model}:8080", f"rpc={model}:8081"))
    load.start(node=node)
    try:
        yield load
    finally:
        load.stop()


def _good(model: Raw, index: Path) -> Raw:
    entries = json.loads(index.read_text())["models"]
    newer = next(each for each in entries if each["name"] == model["metadata"]["name"] and each["version"] == "1.1.0")
    changed: Raw = json.loads(json.dumps(model))
    changed["spec"]["model"] |= {"version": newer["version"], "digest": newer["digest"]}
    changed["spec"]["model"]["source"]["objectStore"]["uri"] = f"s3://models/{newer['path']}/"
    changed["spec"]["rollout"] = ROLLOUT
    return changed


def _never_sure(model: Raw) -> Raw:
    changed: Raw = json.loads(json.dumps(model))
    changed["spec"]["schema"]["threshold"] = 1.0
    changed["spec"]["model"]["version"] = "1.1.1"
    return changed


def _deliver(cluster: AnyCluster, model: Raw, *, say: Say, until: str) -> None:
    """Applies the model and tells each step of its delivery, until Ready has this status or reason."""
    cluster.kubectl("apply", f"--namespace={NAMESPACE}", "-f", "-", text=yaml.safe_dump(model))
    deadline, told = time.monotonic() + SECONDS, ""
    while True:
        found = json.loads(
            cluster.kubectl(
                "get", "sentrymodel", model["metadata"]["name"], f"--namespace={NAMESPACE}", "--output=json"
            )
        )
        ready = ready_of(found)
        current = ready.get("observedGeneration") == found["metadata"]["generation"]
        if current and ready["message"] != told:
            told = ready["message"]
            say(f"  {told}")
        if current and until in {ready["status"], ready["reason"]}:
            return
        if time.monotonic() > deadline:
            raise DevclusterError(f"the delivery did not end within {SECONDS:.0f} s: {told}")
        time.sleep(0.5)
