"""What a ScanJob would become is what it becomes."""

from __future__ import annotations

import pytest

from sentinel_operator.core.scanjob.render import UNKNOWN, render
from tests.support.scanworld import UID, ScanWorld, a_scan


def written(raw):
    return {**raw, "metadata": {key: raw["metadata"][key] for key in ("name", "namespace", "labels")}, "status": None}


def test_it_renders_what_is_made():
    raw = a_scan(shards=3)
    scan = ScanWorld(raw).finished(3)
    made = {key: written(child) for key, child in scan.objects.items()}
    rendered = {(child["kind"], child["metadata"]["name"]): written(child) for child in render(raw)}
    assert set(made) == set(rendered)
    for key in made.keys() - {("ConfigMap", "tickets-scan")}:
        assert made[key] == rendered[key]
    text = rendered["ConfigMap", "tickets-scan"]["data"]["scan.json"]
    assert f"team-a.tickets-{UNKNOWN}/" in text
    assert UID[:8] not in text


def test_what_is_not_valid_is_not_rendered():
    with pytest.raises(ValueError, match=r"spec\.source\.maxDocumentBytes"):
        render(a_scan(source={"maxDocumentBytes": 0}))


def test_a_config_map_that_is_not_given_is_a_placeholder_and_a_key_that_it_lacks_is_an_error():
    ca = {"configMapRef": {"name": "ca", "key": "ca.crt"}}
    raw = a_scan(source={"objectStore": {"caBundle": ca}})
    (config_map,) = [child for child in render(raw) if child["kind"] == "ConfigMap"]
    assert config_map["data"]["ca-source.pem"] == "<key ca.crt of ConfigMap ca>"
    with pytest.raises(ValueError, match=r"has no key 'ca\.crt'"):
        render(raw, config_maps=[{"metadata": {"name": "ca", "namespace": "team-a"}, "data": {}}])
