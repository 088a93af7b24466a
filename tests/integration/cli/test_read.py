from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from devcluster.cluster import Cluster
from tests.integration.cli.world import ACCOUNTS, BINDINGS, ROLES, Done, World, run

pytestmark = pytest.mark.integration


async def test_get_shows_what_is_there_and_what_is_asked_for(world: World) -> None:
    await world.model("fraud", "failed-upgrade")
    await world.model("spam", "ready")
    await world.model("fresh", "unobserved")

    table = (await world.run("get", "sm")).out.splitlines()
    assert [line.split()[:3] for line in table] == [
        ["NAME", "READY", "REASON"],
        ["fraud", "False", "DigestMismatch"],
        ["fresh", "Unknown", "NotObserved"],
        ["spam", "True", "Ready"],
    ]
    assert "1.0.0 → 1.1.0" in table[1]

    names = await world.run("get", "sentrymodels", "-o", "name")
    assert names.out.splitlines() == [f"sentrymodel.sentinel.dev/{name}" for name in ("fraud", "fresh", "spam")]
    listed = json.loads((await world.run("get", "sm", "-o", "json")).out)
    assert [each["metadata"]["name"] for each in listed["items"]] == ["fraud", "fresh", "spam"]
    one = yaml.safe_load((await world.run("get", "sm/spam", "-o", "yaml")).out)
    assert (one["kind"], one["metadata"]["name"]) == ("SentryModel", "spam")
    assert "managedFields" not in one["metadata"]

    everywhere = (await world.run("get", "sm", "-A")).out
    assert [world.namespace, "fraud"] in [line.split()[:2] for line in everywhere.splitlines()]


async def test_get_of_nothing_is_no_error_and_of_one_that_is_not_there_is_1(world: World) -> None:
    nothing = await world.run("get", "sm")
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err == f"No resources found in {world.namespace} namespace.\n"
    gone = await world.run("get", "sm/fraud")
    assert (gone.code, gone.err) == (1, "sentrymodel/fraud is not there\n")
    undescribed = await world.run("describe", "sm/fraud")
    assert undescribed.code == 1
    assert undescribed.err == f"error: sentrymodel/fraud is not there in namespace {world.namespace}\n"


async def test_describe_tells_the_story_of_a_failed_upgrade(world: World) -> None:
    model = await world.model("fraud", "failed-upgrade")
    other = await world.model("spam", "ready")
    pods = await world.pods("fraud", "failed-upgrade")
    await world.pods("spam", "ready")
    coming = next(pod for pod in pods if pod["metadata"]["labels"]["sentinel.dev/revision"] == "7e5c2116")
    stable = next(pod for pod in pods if pod is not coming)
    await world.event(coming, "BackOff", "the last of all", at="2025-03-01T12:00:02.000000Z")
    await world.event(model, "NewRevision", "the first of all", at="2025-03-01T12:00:00.000000Z")
    await world.event(model, "DigestMismatch", "in between", at="2025-03-01T12:00:01.000000Z")
    await world.event(other, "NewRevision", "of another model", at="2025-03-01T12:00:00.000000Z")
    await world.event(stable, "Pulled", "of a pod without trouble", at="2025-03-01T12:00:00.000000Z")

    done = await world.run("describe", "sm/fraud")

    assert done.code == 1, done.err
    first = done.out.splitlines()[0]
    assert first.startswith("Serving 1.0.0 with 2 of 2 pods. Waiting for you: DigestMismatch: ")
    assert "To do: find out who changed what lies in storage" in first
    assert "CrashLoopBackOff (3 restarts)   before: DigestMismatch (exit code 10): the artifact has" in done.out
    assert done.out.count("fraud-fraud-") == len(pods) + 1  # once each, and in the event of one
    assert "signed by     ml-release (sha256:ccc" in done.out
    positions = [done.out.index(note) for note in ("the first of all", "in between", "the last of all")]
    assert positions == sorted(positions)
    assert "of another model" not in done.out
    assert "of a pod without trouble" not in done.out
    assert "spam" not in done.out


async def test_describe_of_what_is_ready_is_0(world: World) -> None:
    await world.model("fraud", "ready")
    done = await world.run("describe", "sm/fraud")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Serving 1.0.0 with 2 of 2 pods. Waiting for nothing. Nothing to do.\n")


async def test_a_person_who_may_see_one_namespace_only(world: World, served: Cluster, tmp_path: Path) -> None:
    await world.model("fraud", "ready")
    limited = await _limited(world, served, tmp_path)

    described = await world.run("describe", "sm/fraud", kubeconfig=limited)
    assert described.code == 0, described.err
    assert "Note: the pods cannot be read: pods is forbidden" in described.out
    assert "Note: the events cannot be read: events.events.k8s.io is forbidden" in described.out
    await world.model("spam", "unobserved")
    watching = await world.start("watch", "sm/spam", "--until", "ready", "--timeout", "60s", kubeconfig=limited)
    await watching.line()
    await world.status("spam", "ready")
    watched = await watching.done()
    assert watched.code == 0, watched.err
    kinds = await world.run("get", kubeconfig=limited)
    assert kinds.code == 0
    assert [line.split()[0] for line in kinds.out.splitlines()[1:]] == ["fraud", "spam"]
    assert "warning: sentinelconfigs.sentinel.dev is forbidden" in kinds.err

    everywhere = await world.run("get", "sm", "-A", kubeconfig=limited)
    assert everywhere.code == 3
    assert everywhere.err.startswith("error: not allowed: sentrymodels.sentinel.dev is forbidden")


async def test_credentials_that_are_refused_are_3(world: World, served: Cluster, tmp_path: Path) -> None:
    done = await world.run("get", "sm", kubeconfig=_kubeconfig(served, tmp_path, token="of.nobody"))
    assert done.code == 3
    assert "does not accept the credentials of this context; log in again" in done.err
    assert "Traceback" not in done.err


async def test_the_namespace_of_the_context_is_meant_where_none_is_named(world: World, tmp_path: Path) -> None:
    await world.model("fraud", "ready")
    config = yaml.safe_load(world.kubeconfig.read_text())
    config["contexts"].append(
        {"name": "there", "context": {**config["contexts"][0]["context"], "namespace": world.namespace}}
    )
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    program = str(Path(sys.executable).with_name("kubectl-sentinel"))
    done = await run([program, "get", "sm", "-o", "name", "--context", "there"], {"KUBECONFIG": str(path)})
    assert done == Done(0, "sentrymodel.sentinel.dev/fraud\n", "")


async def test_kubectl_finds_it_as_a_plugin(served: Cluster, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"weights")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = await run([*served.kubectl_command[:2], "sentinel", "digest", str(tmp_path)], {"PATH": path})
    assert done.code == 0, done.err
    assert done.out.startswith("sha256:")


async def _limited(world: World, served: Cluster, folder: Path) -> Path:
    """Gives the kubeconfig of an account that may read the models of this namespace, and nothing else."""
    metadata = {"name": "reader", "namespace": world.namespace}
    await world.api.create(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    rule = {"apiGroups": ["sentinel.dev"], "resources": ["sentrymodels"], "verbs": ["get", "list", "watch"]}
    await world.api.create(
        ROLES, {"apiVersion": ROLES.api_version, "kind": "Role", "metadata": metadata, "rules": [rule]}
    )
    binding = {
        "apiVersion": BINDINGS.api_version,
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": world.namespace}],
    }
    await world.api.create(BINDINGS, binding)
    token = served.kubectl("create", "token", "reader", "-n", world.namespace).strip()
    return _kubeconfig(served, folder, token=token)


def _kubeconfig(served: Cluster, folder: Path, *, token: str) -> Path:
    config = yaml.safe_load(served.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = folder / "limited"
    path.write_text(yaml.safe_dump(config))
    return path
