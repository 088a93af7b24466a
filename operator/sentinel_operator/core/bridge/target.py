"""Whom a decision is about: a brain names it as it likes, the API server by kind, namespace and name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentinel_operator.api.actionverbs import API_VERSIONS, KINDS_OF
from sentinel_operator.core.bridge.words import Json, Untranslatable, shown, text

NAMES = ("workload", "deployment", "deployment_id", "deploymentId", "name")
"""Where the name of a workload stands. None of them says of which kind it is."""
LOOKED_UP = ("SentryModel", "Deployment", "StatefulSet")
_OTHERS = ("node", "namespace", "cluster", "kind", "apiVersion", "api_version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A workload whose kind was not said: it is the one of these that is there."""

    field: str
    namespace: str
    name: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Whom a decision is about. Without a kind it has to be looked up."""

    field: str
    """Where the name stood."""
    name: str
    kind: str = ""
    api_version: str = ""
    namespace: str = ""
    cluster: str = ""

    def sought(self, verb: str, namespace: str) -> Sought | None:
        """Gives what to look for; None where the kind is known."""
        if self.kind:
            return None
        kinds = tuple(each for each in LOOKED_UP if each in KINDS_OF[verb])
        return Sought(field=self.field, namespace=self.namespace or namespace, name=self.name, kinds=kinds)

    def as_manifest(self, kind: str) -> dict[str, Any]:
        """Writes the target as it stands in an ActionPlan."""
        kind = self.kind or kind
        optional = {"namespace": self.namespace, "cluster": self.cluster}
        return {
            "apiVersion": self.api_version or API_VERSIONS.get(kind, ""),
            "kind": kind,
            "name": self.name,
            **{key: value for key, value in optional.items() if value},
        }


def read_target(said: Json, *, verb: str, path: str) -> Named:
    """Gives whom a target means; raises Untranslatable, naming the member at fault."""
    unknown = sorted(set(said) - {*NAMES, *_OTHERS})
    if unknown:
        raise Untranslatable(f"{path}.{unknown[0][:64]}", f"is not known: use {', '.join((*NAMES, *_OTHERS[:-1]))}")
    node = text(said, "node", path=path, most=253)
    key, name = _workload(said, path)
    kind = text(said, "kind", path=path, most=64)
    if node and name:
        raise Untranslatable(f"{path}.node", f"stands beside {key}: one decision is about one object")
    if not (node or name):
        raise Untranslatable(path, f"must name its object: {', '.join(NAMES)} or node")
    if not kind and (node or KINDS_OF[verb] == ("Node",)):
        kind = "Node"
    if kind and kind not in KINDS_OF[verb]:
        where = f"{path}.kind" if said.get("kind") else f"{path}.node"
        raise Untranslatable(where, f"must be {' or '.join(KINDS_OF[verb])} for {verb}, not {shown(kind)}")
    return Named(
        field=f"{path}.{'node' if node else key}",
        name=node or name,
        kind=kind,
        api_version=text(said, "apiVersion", path=path, most=64) or text(said, "api_version", path=path, most=64),
        namespace="" if kind == "Node" else text(said, "namespace", path=path, most=253),
        cluster=text(said, "cluster", path=path, most=253),
    )


def kind_of(sought: Sought, found: Mapping[Sought, frozenset[str]]) -> str:
    """Gives the one kind that is there; raises Untranslatable where there is none, or more than one."""
    there = [each for each in sought.kinds if each in found.get(sought, frozenset())]
    if len(there) == 1:
        return there[0]
    kinds = " or ".join(sought.kinds)
    if there:
        said = f"{sought.name} in {sought.namespace} is ambiguous, a {' and a '.join(there)}: say kind"
        raise Untranslatable(sought.field, said)
    raise Untranslatable(sought.field, f"there is no {kinds} {sought.name} in namespace {sought.namespace}")


def _workload(said: Json, path: str) -> tuple[str, str]:
    given = {key: text(said, key, path=path, most=253) for key in NAMES}
    given = {key: value for key, value in given.items() if value}
    if len(set(given.values())) > 1:
        first, second = list(given)[:2]
        raise Untranslatable(f"{path}.{second}", f"is another name than {first}: one decision is about one object")
    return next(iter(given.items()), ("", ""))
