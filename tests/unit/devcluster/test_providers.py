"""Where a cluster comes from, and what is done when it is not there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from devcluster import providers
from devcluster.errors import DevclusterError
from devcluster.sharing import sweep

# kind and Docker cannot run everywhere: this stands in for the program, keeps what it was told, and knows its clusters.
_KIND = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$1 $2" in
  "get clusters") cat "$CLUSTERS" ;;
  "get kubeconfig") echo "kind: Config" ;;
  "create cluster") echo "$4" >> "$CLUSTERS" ;;
  "delete cluster") sed -i "/^$4$/d" "$CLUSTERS" ;;
esac
"""


@pytest.fixture
def kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("kind", _KIND), ("kubectl", "#!/bin/sh\n"), ("docker", "#!/bin/sh\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    calls, clusters = tmp_path / "calls", tmp_path / "clusters"
    calls.touch()
    clusters.touch()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(calls))
    monkeypatch.setenv("CLUSTERS", str(clusters))
    monkeypatch.setenv("SENTINEL_STATE", str(tmp_path / "state"))
    return lambda: [call for call in calls.read_text().splitlines() if not call.startswith("get ")]


def _silent(_: str) -> None:
    pass


def _open(provider: str = "kind", **options):
    return providers.open_cluster(provider, name="demo", nodes=2, say=_silent, **options)


def test_auto_is_kind_where_docker_answers(kind):
    assert providers.chosen("auto") == "kind"


def test_auto_is_local_where_it_does_not(kind, tmp_path: Path):
    (tmp_path / "bin" / "docker").write_text("#!/bin/sh\nexit 1\n")

    assert providers.chosen("auto") == "local"


def test_kind_creates_a_cluster_once_and_deletes_it(kind, tmp_path: Path):
    _open()
    cluster = _open()
    found = providers.find("demo", _silent)
    cluster.load(tmp_path / "image.tar", image="sentinel.dev/operator:dev")
    cluster.down()

    create, load, delete = kind()
    assert create.startswith("create cluster --name sentinel-demo --wait=120s --config=")
    assert load == f"load image-archive {tmp_path / 'image.tar'} --name sentinel-demo"
    assert delete == "delete cluster --name sentinel-demo"
    assert found == cluster
    assert not cluster.kubeconfig.exists()
    assert providers.find("demo", _silent) is None


def test_kinds_nodes_are_one_control_plane_and_workers():
    roles = [node["role"] for node in yaml.safe_load(providers.kind_config(3))["nodes"]]

    assert roles == ["control-plane", "worker", "worker"]


def test_removing_takes_whichever_provider_made_it(kind):
    _open()

    providers.remove("demo")
    providers.remove("demo")

    assert [call.split()[0] for call in kind()] == ["create", "delete"]


def test_a_cluster_whose_users_were_killed_is_removed(kind, tmp_path: Path):
    _open()
    (tmp_path / "state" / ".demo.users").write_text(json.dumps([{"pid": os.getpid(), "started": 1}]))

    sweep()

    assert providers.find("demo", _silent) is None
    assert list((tmp_path / "state").iterdir()) == []


def test_only_the_local_provider_has_a_gateway(kind):
    with pytest.raises(DevclusterError, match="not with kind"):
        _open(gateway=True)


def test_a_kubeconfig_that_is_missing_is_named(kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))

    with pytest.raises(DevclusterError, match=f"no kubeconfig at {tmp_path / 'nowhere'}"):
        _open("kubeconfig")


def test_an_existing_cluster_is_left_as_it_is(kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "config").touch()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    said: list[str] = []
    cluster = providers.open_cluster("kubeconfig", name="demo", nodes=1, say=said.append)

    cluster.load(tmp_path / "image.tar", image="sentinel.dev/operator:dev")
    cluster.down()

    assert kind() == []
    assert (tmp_path / "config").exists()
    assert "sentinel.dev/operator:dev: its nodes must have it" in said[0]
