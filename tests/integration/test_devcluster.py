"""The API server alone: up in seconds, as often as wanted, gone without a trace, whatever was killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.allocation import names
from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError
from devcluster.programs import KUBERNETES
from devcluster.providers import remove
from devcluster.sharing import shared
from tests.support.machine import eventually, processes_of

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place of its own for the clusters of one test, which has to be empty at its end."""
    folder = tmp_path / "s"
    monkeypatch.setenv("SENTINEL_STATE", str(folder))
    yield folder
    left = processes_of(folder)
    for name in list(names()):
        remove(name)
    assert left == []
    assert not folder.exists() or list(folder.iterdir()) == []


def test_it_is_ready_and_is_the_version_that_it_says():
    with Cluster.api_only(name="one") as cluster:
        version = json.loads(cluster.kubectl("version", "--output=json"))

        assert cluster.kubectl("get", "--raw", "/readyz") == "ok"
        assert version["serverVersion"]["gitVersion"] == KUBERNETES == "v1.34.4"
        assert cluster.healthy()


def test_up_again_gives_the_running_one():
    with Cluster.api_only(name="one") as cluster:
        before = cluster.processes.pid("apiserver")

        again = Cluster.api_only(name="one")

        assert again == cluster
        assert again.processes.pid("apiserver") == before


def test_up_with_more_than_the_running_one_has_gives_another():
    with Cluster.api_only(name="one") as cluster:
        assert "controller-manager" not in cluster.processes.roles()

        more = Cluster.api_only(name="one", controller_manager=True)

        assert more.processes.alive("controller-manager")


def test_several_run_side_by_side():
    with Cluster.api_only(name="one") as one, Cluster.api_only(name="two") as two:
        one.kubectl("create", "namespace", "here")

        assert "here" in one.kubectl("get", "namespaces")
        assert "here" not in two.kubectl("get", "namespaces")


def test_the_controller_manager_makes_replica_sets_and_collects_garbage():
    with Cluster.api_only(name="one", controller_manager=True) as cluster:
        cluster.kubectl("create", "deployment", "app", "--image=none", "--replicas=2")
        eventually(lambda: len(cluster.get("pods")["items"]) == 2)

        cluster.kubectl("delete", "deployment", "app")

        eventually(lambda: cluster.get("replicasets,pods")["items"] == [])


def test_with_an_audit_log_every_request_is_in_it():
    with Cluster.api_only(name="one", audit=True) as cluster:
        cluster.kubectl("create", "namespace", "seen")

        eventually(
            lambda: any(
                event["verb"] == "create" and event["objectRef"]["resource"] == "namespaces"
                for event in map(json.loads, cluster.processes.log("audit").read_text().splitlines())
                if event["user"]["username"] == "admin" and "objectRef" in event
            )
        )


@pytest.mark.parametrize("component", ["etcd", "apiserver"])
def test_one_that_lost_a_component_is_brought_up_anew(component: str):
    with Cluster.api_only(name="one") as cluster:
        cluster.processes.signal(component, signal.SIGKILL)
        eventually(lambda: not cluster.healthy())

        again = Cluster.api_only(name="one")

        assert again.kubectl("get", "--raw", "/readyz") == "ok"


@pytest.mark.parametrize("until", ["cluster.json", "processes/etcd.json", "processes/apiserver.json"])
def test_what_a_killed_command_has_left_is_cleared_by_the_next_up(state: Path, until: str):
    _up_killed_when_there_is(state / "one" / until)
    left = processes_of(state)

    with Cluster.api_only(name="one") as cluster:
        assert cluster.kubectl("get", "--raw", "/readyz") == "ok"
        assert not set(left) & set(processes_of(state))


def test_what_a_killed_command_has_left_is_cleared_by_down(state: Path):
    _up_killed_when_there_is(state / "one" / "processes" / "apiserver.json")
    assert processes_of(state)

    remove("one")

    assert processes_of(state) == []


def test_a_cluster_that_cannot_start_says_why_and_leaves_only_its_logs(state: Path, tmp_path: Path):
    broken = tmp_path / "cache"
    (broken / "bin").mkdir(parents=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("devcluster.programs.kube", lambda _: Path("/bin/false"))
        with pytest.raises(DevclusterError, match="etcd ended; the end of"):
            Cluster.api_only(name="one")

    assert [path.name for path in state.iterdir()] == ["one.failed"]
    remove("one")


def test_users_of_one_share_it_and_the_last_to_leave_removes_it(state: Path):
    with shared("one", lambda: Cluster.api_only(name="one")) as cluster:
        other = subprocess.Popen(
            [sys.executable, "-c", _SHARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ}
        )
        assert other.stdout
        assert int(other.stdout.readline()) == cluster.processes.pid("apiserver")
    assert cluster.healthy()

    other.communicate(b"\n", timeout=60)

    assert other.returncode == 0
    assert not (state / "one").exists()


def test_the_cluster_of_a_killed_user_is_removed(state: Path):
    killed = subprocess.Popen([sys.executable, "-c", _SHARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert killed.stdout
    assert killed.stdout.readline()
    killed.kill()
    killed.communicate()

    eventually(lambda: not list(names()))
    assert processes_of(state) == []


def test_what_is_left_when_nobody_saw_the_end_is_removed_by_the_next_one(state: Path):
    killed = subprocess.Popen([sys.executable, "-c", _SHARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert killed.stdout
    assert killed.stdout.readline()
    for survivor in _children(killed.pid):
        os.kill(survivor, signal.SIGKILL)
    killed.kill()
    killed.communicate()

    with shared("two", lambda: Cluster.api_only(name="two")):
        assert list(names()) == ["two"]


def _children(pid: int) -> list[int]:
    """Those that wait for its end."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found if b"sweep" in Path(f"/proc/{each}/cmdline").read_bytes()]


def test_a_removal_that_is_killed_is_finished_by_the_next(state: Path):
    with Cluster.api_only(name="one"):
        leaving = subprocess.Popen([sys.executable, "-m", "devcluster", "down", "--name", "one"])
        eventually(lambda: not (state / "one" / "processes" / "apiserver.json").exists())
        leaving.kill()
        leaving.wait()

        remove("one")

        assert processes_of(state) == []
        assert list(state.iterdir()) == []


def test_the_cluster_of_a_user_that_is_killed_while_it_leaves_is_removed(state: Path):
    leaving = subprocess.Popen([sys.executable, "-c", _SHARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert leaving.stdout
    assert leaving.stdin
    assert leaving.stdout.readline()
    leaving.stdin.write(b"\n")
    leaving.stdin.flush()
    eventually(lambda: not (state / "one" / "processes" / "apiserver.json").exists())
    leaving.kill()
    leaving.communicate()

    with shared("two", lambda: Cluster.api_only(name="two")):
        eventually(lambda: list(names()) == ["two"])


_SHARE = """
import sys
from devcluster.cluster import Cluster
from devcluster.sharing import shared
from tests.support.machine import eventually, processes_of
with shared("one", lambda: Cluster.api_only(name="one")) as cluster:
    print(cluster.processes.pid("apiserver"), flush=True)
    sys.stdin.readline()
"""


def _up_killed_when_there_is(path: Path) -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "devcluster", "up", "--api-only", "--name", "one"], stderr=subprocess.DEVNULL
    )
    eventually(path.exists)
    command.kill()
    command.wait()
