"""One namespace of a cluster with our operator, and what a user does and sees in it."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

import yaml

from demo.install import Store
from demo.models.artifact import Index
from demo.waiting import eventually
from devcluster.errors import DevclusterError
from devcluster.paths import REPOSITORY
from devcluster.providers import AnyCluster

Raw = dict[str, Any]
MODEL = "qos-flow-classifier"


@dataclass(frozen=True, slots=True)
class World:
    """What the tests act on."""

    cluster: AnyCluster
    namespace: str
    index: Index
    store: Store

    def model(self, name: str = MODEL, *, version: str = "1.0.0", replicas: int = 1, unsigned: bool = False) -> Raw:
        """Gives the example's SentryModel for a version that lies in the store."""
        raw: Raw = yaml.safe_load((REPOSITORY / "examples" / f"{MODEL}.yaml").read_text())
        raw["metadata"]["name"] = name
        entry = self.index.entry(MODEL, version)
        raw["spec"]["model"] |= {"version": version, "digest": entry.digest}
        prefix = f"unsigned/{entry.path}" if unsigned else entry.path
        raw["spec"]["model"]["source"]["objectStore"]["uri"] = f"s3://models/{prefix}/"
        raw["spec"]["replicas"] = replicas
        raw["spec"]["rollout"] = {"strategy": "RollingUpdate"}
        # Small, so that two cores hold many of them.
        raw["spec"]["pod"] = {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}}
        return raw

    def apply(self, *objects: Raw) -> None:
        """Applies objects as `kubectl apply` does."""
        placed = copy.deepcopy(list(objects))
        for item in placed:
            item["metadata"]["namespace"] = self.namespace
        self.cluster.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(placed))

    def get(self, kind: str, name: str) -> Raw:
        """Reads one object; raises DevclusterError when there is none."""
        found: Raw = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def list(self, kinds: str, selector: str = "") -> list[Raw]:
        """Reads every object of the kinds, with the labels."""
        items: list[Raw] = json.loads(self.kubectl("get", kinds, "-l", selector, "-o", "json"))["items"]
        return items

    def kubectl(self, *words: str, text: str | None = None, timeout: float = 120.0) -> str:
        """Runs kubectl in the namespace."""
        return self.cluster.kubectl(f"--namespace={self.namespace}", *words, text=text, timeout=timeout)

    def await_ready(self, name: str = MODEL, *, status: str = "True", reason: str = "", within: float = 120.0) -> Raw:
        """Waits until the model's Ready has the status (and the reason) for its generation; gives the model."""

        def look() -> Raw | None:
            found = self.get("sentrymodel", name)
            ready = condition(found, "Ready")
            current = ready.get("observedGeneration") == found["metadata"]["generation"]
            return found if current and ready["status"] == status and reason in ("", ready["reason"]) else None

        return eventually(look, within=within, otherwise=lambda: self.explain(name))

    def explain(self, name: str) -> str:
        """Says what the model and its pods say, for a test that gives up."""
        try:
            conditions = self.get("sentrymodel", name).get("status", {}).get("conditions", [])
        except DevclusterError as error:
            return str(error)
        pods = self.kubectl("get", "pods", "-o", "wide")
        return f"{yaml.safe_dump(conditions)}\n{pods}"


def condition(item: Raw, type_: str) -> Raw:
    """Gives a condition, empty when there is none."""
    return next((one for one in item.get("status", {}).get("conditions", ()) if one["type"] == type_), {})
