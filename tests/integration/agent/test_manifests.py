"""What `manifests/agent/base` installs: accepted, of one mind with the code, no more than is needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_agent.config import PREFIX, Settings, load
from tests.integration.agent.conftest import ROOT
from tests.integration.crds.client import Client, Kubectl

pytestmark = pytest.mark.integration

MANIFESTS = ROOT / "manifests" / "agent"
COMPONENTS = ("node-condition", "nvidia-runtime", "unprivileged")
ACCOUNT = "system:serviceaccount:sentinel-agent:sentinel-agent"


@pytest.fixture(params=[(), *[(component,) for component in COMPONENTS], COMPONENTS], ids="+".join)
def variant(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A kustomization as somebody would write it, with some of the components."""
    base, *components = (os.path.relpath(MANIFESTS / name, tmp_path.resolve()) for name in ("base", *request.param))
    kustomization = {"resources": [base], "components": components}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return tmp_path


def pod_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == "DaemonSet"]
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


def test_the_api_server_accepts_it_whole(kubectl: Kubectl, variant: Path):
    kubectl.run("apply", "--server-side", "--dry-run=server", "--validate=strict", "-k", str(variant))


def test_what_it_sets_exists_and_what_it_mounts_is_where_it_is_read(kubectl: Kubectl, variant: Path):
    spec = pod_of(list(yaml.safe_load_all(kubectl.run("kustomize", str(variant)))))
    (container,) = spec["containers"]
    environment = {each["name"]: each.get("value", "node-1") for each in container["env"]}
    assert {name.removeprefix(PREFIX).lower() for name in environment} <= Settings.model_fields.keys()
    settings = load(None, environment)
    (port,) = container["ports"]
    assert (port["name"], port["containerPort"]) == ("metrics", settings.port)
    mounted = {each["mountPath"] for each in container["volumeMounts"]}
    read = [settings.cgroups, settings.kubelet_socket.parent, settings.container_logs]
    assert settings.state is not None
    assert {str(path) for path in (*read, settings.state.parent, *settings.disks)} <= mounted
    writable = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}
    assert writable == {str(settings.state.parent), "/tmp"}


def test_it_has_no_capability_and_a_root_file_system_that_nobody_writes(kubectl: Kubectl, variant: Path):
    spec = pod_of(list(yaml.safe_load_all(kubectl.run("kustomize", str(variant)))))
    (container,) = spec["containers"]
    security = container["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert "privileged" not in security
    assert "hostNetwork" not in spec
    assert spec["tolerations"] == [{"operator": "Exists"}]


@pytest.mark.parametrize(
    ("group", "resource", "verb", "may"),
    [
        ("sentinel.dev", "nodetelemetries", "create", True),
        ("sentinel.dev", "nodetelemetries", "patch", True),
        ("sentinel.dev", "nodetelemetries/status", "patch", True),
        ("", "nodes", "get", True),
        ("sentinel.dev", "nodetelemetries", "delete", False),
        ("sentinel.dev", "nodetelemetries", "list", False),
        ("", "nodes", "patch", False),
        ("", "nodes/status", "patch", False),
        ("", "nodes/proxy", "get", False),
        ("", "pods", "list", False),
        ("", "secrets", "get", False),
        ("sentinel.dev", "sentrymodels", "get", False),
    ],
    ids=str,
)
def test_its_rights_are_these(api: Client, group: str, resource: str, verb: str, may: bool):
    plural, _, subresource = resource.partition("/")
    attributes = {"group": group, "resource": plural, "subresource": subresource, "verb": verb}
    groups = ["system:serviceaccounts", "system:serviceaccounts:sentinel-agent", "system:authenticated"]
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": ACCOUNT, "groups": groups, "resourceAttributes": attributes},
    }
    answer = api.ok("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert bool(answer["status"]["allowed"]) is may
