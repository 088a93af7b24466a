"""What the sidecar reads and where it puts things, without an API server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sentinel_operator.api.active import ActiveConfig, RevisionConfig
from sentinel_operator.api.serving import (
    CONFIG_DIR,
    FetchConfig,
    KeyAuthority,
    KeylessAuthority,
    ObjectStoreAccess,
    ScanRequirement,
    ServingConfig,
)
from sentinel_workloads.fetch.follow.home import Home
from sentinel_workloads.fetch.follow.wanted import wanted_of
from sentinel_workloads.fetch.follow.watch import FIRST_WAIT, LONGEST_WAIT, wait_after
from sentinel_workloads.objectstore.failures import Failure


def a_revision(name: str = "r1", **more: object) -> RevisionConfig:
    serving = ServingConfig(name="demo", namespace="team", revision=name)
    return RevisionConfig(**{"fetch": FetchConfig(uri="file:///m/"), "serving": serving, **more})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"active": "zz"}, "active: 'zz' is not among the revisions r1", id="active is unknown"),
        pytest.param({"candidate": "zz"}, "candidate: 'zz' is not among", id="candidate is unknown"),
        pytest.param({"revisions": (a_revision(), a_revision())}, "named twice", id="twice"),
        pytest.param(
            {"active": "a/b", "revisions": (a_revision("a/b"),)}, "active", id="a name that leads out of the folder"
        ),
        pytest.param({"revisions": (a_revision(), a_revision("../x"))}, "no name of a revision", id="another such"),
        pytest.param({"revisions": ()}, "revisions", id="none"),
        pytest.param({"replay": -1}, "replay", id="negative"),
        pytest.param(
            {"shadow": {"revision": "c", "percent": 101, "urls": ["http://a"]}}, "percent", id="more than all"
        ),
        pytest.param(
            {"shadow": {"revision": "c", "percent": 1, "urls": ["http://a/path"]}}, "urls", id="an address with a path"
        ),
        pytest.param({"shadow": {"revision": "c", "percent": 1, "urls": []}}, "urls", id="no address"),
    ],
)
def test_what_cannot_be_followed_is_refused_and_named(change: dict, says: str):
    with pytest.raises(ValueError, match=says):
        ActiveConfig(**{"serial": 1, "active": "r1", "revisions": (a_revision(),), **change})


def test_a_config_map_is_read_or_says_what_is_wrong_with_it():
    wanted = ActiveConfig(serial=3, active="r1", revisions=(a_revision(),))
    text = wanted.model_dump_json(by_alias=True)
    assert wanted_of({"metadata": {"name": "x"}, "data": {"active.json": text}}) == wanted
    for data in (None, {}, {"active.json": "{}"}, {"active.json": "no"}):
        with pytest.raises(Failure, match="ConfigMap x"):
            wanted_of({"metadata": {"name": "x"}, "data": data})


def test_trust_that_came_with_a_revision_is_read_from_its_own_folder_and_what_is_mounted_from_there(tmp_path: Path):
    fetch = FetchConfig(
        uri="s3://b/k/",
        verify="Enforce",
        authorities=(
            KeyAuthority(name="inline", public_key_file=f"{CONFIG_DIR}/authority-0.pem"),
            KeyAuthority(name="secret", public_key_file="/etc/sentinel-secrets/authority-1/authority.pem"),
            KeylessAuthority(name="keyless", trust_root_file=f"{CONFIG_DIR}/trust-root-2.json"),
        ),
        object_store=ObjectStoreAccess(ca_file=f"{CONFIG_DIR}/ca-bundle.pem"),
    )
    files = {"authority-0.pem": "PEM", "trust-root-2.json": "{}", "ca-bundle.pem": "CA", "../escape": "no"}
    home = Home(tmp_path)
    found = home.fetching(a_revision(fetch=fetch, trust=files))
    own = tmp_path / "trust" / "r1"
    assert [getattr(each, "public_key_file", "") or each.trust_root_file for each in found.authorities] == [
        str(own / "authority-0.pem"),
        "/etc/sentinel-secrets/authority-1/authority.pem",
        str(own / "trust-root-2.json"),
    ]
    assert found.object_store.ca_file == str(own / "ca-bundle.pem")
    assert (own / "authority-0.pem").read_text() == "PEM"
    assert not (tmp_path / "trust" / "escape").exists()


def test_trust_in_the_report_of_a_scan_is_read_from_there_too(tmp_path: Path):
    required = ScanRequirement(
        uri="s3://datasets/x/",
        object_store=ObjectStoreAccess(ca_file=f"{CONFIG_DIR}/scan-ca-bundle.pem"),
        authorities=(KeyAuthority(name="a", public_key_file=f"{CONFIG_DIR}/scan-authority-0.pem"),),
    )
    fetch = FetchConfig(uri="s3://models/m", require_scan=required)
    files = {"scan-authority-0.pem": "PEM", "scan-ca-bundle.pem": "CA"}
    found = Home(tmp_path).fetching(a_revision(fetch=fetch, trust=files)).require_scan
    own = tmp_path / "trust" / "r1"
    assert found is not None
    assert found.object_store.ca_file == str(own / "scan-ca-bundle.pem")
    assert found.authorities == (KeyAuthority(name="a", public_key_file=str(own / "scan-authority-0.pem")),)


def test_a_server_is_sent_to_the_copy_in_this_pod(tmp_path: Path):
    assert Home(tmp_path).serving(a_revision()).model_dir == str(tmp_path / "revisions" / "r1" / "artifact")


def test_only_what_is_named_stays(tmp_path: Path):
    for name in ("r1", "r2", "r3"):
        (tmp_path / "revisions" / name / "artifact").mkdir(parents=True)
        (tmp_path / "trust" / name).mkdir(parents=True)
    assert Home(tmp_path).keep_only({"r2"}) == ["r1", "r3"]
    assert [path.name for path in (tmp_path / "revisions").iterdir()] == ["r2"]
    assert [path.name for path in (tmp_path / "trust").iterdir()] == ["r2"]


def test_attempts_become_rarer_up_to_a_cap_and_never_come_at_once():
    for failures in (0, 1, 5, 1000):
        waits = [wait_after(failures) for _ in range(100)]
        assert min(waits) >= FIRST_WAIT / 2
        assert max(waits) <= min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures, 30))


def test_an_unknown_field_of_a_newer_operator_does_no_harm():
    text = ActiveConfig(serial=3, active="r1", revisions=(a_revision(),)).model_dump_json(by_alias=True)
    newer = json.dumps({**json.loads(text), "laterField": {"a": 1}})
    assert wanted_of({"data": {"active.json": newer}}).active == "r1"
