"""The settings in force are always valid ones, whatever is declared."""

from __future__ import annotations

from typing import Any

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.engine.cache import ObjectCache
from sentinel_operator.engine.configsource import ConfigSource


class Scene:
    """A source over a cache, as the informer fills both."""

    def __init__(self) -> None:
        self.cache, self.changes, self._version = ObjectCache(), 0, 0
        self.source = ConfigSource(self.cache, changed=self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def declared(self, spec: dict[str, Any] | None, *, name: str = "default") -> SentinelConfigSpec:
        self._version += 1
        raw = {"metadata": {"name": name, "uid": name, "resourceVersion": str(self._version)}, "spec": spec}
        self.cache.put(raw)
        self.source.seen(raw)
        return self.source.current()

    def deleted(self) -> SentinelConfigSpec:
        self._version += 1
        raw = {"metadata": {"name": "default", "uid": "default", "resourceVersion": str(self._version)}}
        self.cache.drop(raw)
        self.source.seen(raw)
        return self.source.current()


def test_without_a_declaration_the_defaults_hold() -> None:
    scene = Scene()
    assert scene.source.current() == SentinelConfigSpec()
    assert scene.declared(None) == SentinelConfigSpec()
    assert scene.changes == 0


def test_a_change_holds_at_once_and_a_deletion_brings_the_defaults_back() -> None:
    scene = Scene()
    assert scene.declared({"clusterId": "edge-7"}).cluster_id == "edge-7"
    assert scene.declared({"clusterId": "edge-7"}).cluster_id == "edge-7"
    assert scene.changes == 1
    assert scene.deleted() == SentinelConfigSpec()
    assert scene.changes == 2


def test_the_last_valid_ones_stay_while_others_are_not() -> None:
    scene = Scene()
    scene.declared({"clusterId": "edge-7"})
    assert scene.declared({"clusterId": 5}).cluster_id == "edge-7"
    assert scene.declared({"monitoringNamespace": "No_Name"}).cluster_id == "edge-7"
    assert scene.declared({"clusterId": "edge-8"}, name="second").cluster_id == "edge-7"
    assert scene.changes == 1
    assert scene.declared({"clusterId": "edge-8"}).cluster_id == "edge-8"
