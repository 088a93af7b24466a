"""What the operator made stays as declared, whoever changes it; a model is scaled, and left alone, as its user says."""

from __future__ import annotations

import json

import pytest

from tests.e2e.world import MODEL, Raw, World, condition, eventually

pytestmark = pytest.mark.xdist_group("healed")


@pytest.fixture(scope="module")
def model(lasting_world: World) -> Raw:
    """Gives a model that serves with two pods."""
    lasting_world.apply(lasting_world.model(replicas=2))
    return lasting_world.await_ready()


_NO_SUCH_IMAGE = {"containers": [{"name": "server", "image": "sentinel.dev/none:none"}]}
CHANGES: dict[str, tuple[str, Raw]] = {
    "the image": ("deployment", {"spec": {"template": {"spec": _NO_SUCH_IMAGE}}}),
    "the Service's selector": ("service", {"spec": {"selector": {"app": "nobody"}}}),
    "the labels that it is found by": ("service", {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}),
    "who may scrape": ("networkpolicy", {"spec": {"ingress": []}}),
    "what may be missing": ("poddisruptionbudget", {"spec": {"maxUnavailable": 2}}),
}


@pytest.mark.parametrize(("kind", "change"), CHANGES.values(), ids=CHANGES)
def test_a_child_changed_by_hand_is_set_right(lasting_world: World, model: Raw, kind: str, change: Raw) -> None:
    name = _child(model, kind)
    made = _intent(lasting_world.get(kind, name))

    said = lasting_world.kubectl("patch", kind, name, "--type=strategic", "--patch", json.dumps(change), "-o", "json")

    assert _intent(json.loads(said)) != made
    eventually(
        lambda: _intent(lasting_world.get(kind, name)) == made,
        within=30,
        otherwise=lambda: str(_intent(lasting_world.get(kind, name))),
    )
    lasting_world.await_ready()


@pytest.mark.parametrize(
    "kind", ["configmap", "poddisruptionbudget", "service", "serviceaccount", "networkpolicy", "deployment"]
)
def test_a_child_deleted_by_hand_is_made_again(lasting_world: World, model: Raw, kind: str) -> None:
    name = _child(model, kind)
    lost = lasting_world.get(kind, name)

    lasting_world.kubectl("delete", kind, name, "--wait=false")

    again = eventually(lambda: _another(lasting_world, lost), within=60)
    assert _intent(again) == _intent(lost)
    lasting_world.await_ready()


def test_a_model_is_scaled_as_a_deployment_is(lasting_world: World, model: Raw) -> None:
    for replicas in (1, 2):
        lasting_world.kubectl("scale", f"sentrymodel/{MODEL}", f"--replicas={replicas}")
        scaled = lasting_world.await_ready()
        assert scaled["status"]["readyReplicas"] == replicas
        eventually(lambda: len(_pods(lasting_world)) == replicas, within=60)  # noqa: B023 - asked before it changes

    scale = json.loads(lasting_world.kubectl("get", "sentrymodel", MODEL, "--subresource=scale", "-o", "json"))
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (2, 2)
    assert len(_pods(lasting_world, scale["status"]["selector"])) == 2


def test_one_that_is_suspended_is_looked_at_and_left_alone(lasting_world: World, model: Raw) -> None:
    deployment = _child(model, "deployment")
    _suspend(lasting_world, on=True)
    suspended = lasting_world.await_ready(reason="Suspended")
    assert suspended["status"]["phase"] == "Suspended"

    # Three things that it would act on: a new number, a budget that is gone, a Deployment scaled by hand.
    lasting_world.kubectl("scale", f"sentrymodel/{MODEL}", "--replicas=3")
    lasting_world.kubectl("delete", "poddisruptionbudget", MODEL)
    lasting_world.kubectl("scale", f"deployment/{deployment}", "--replicas=1")

    seen = lasting_world.await_ready(status="False", reason="Suspended")
    eventually(lambda: lasting_world.get("sentrymodel", MODEL)["status"]["readyReplicas"] == 1, within=60)
    assert condition(seen, "Ready")["observedGeneration"] == seen["metadata"]["generation"]
    assert lasting_world.get("deployment", deployment)["spec"]["replicas"] == 1
    assert lasting_world.list("poddisruptionbudgets") == []

    _suspend(lasting_world, on=False)
    assert lasting_world.await_ready()["status"]["readyReplicas"] == 3
    assert lasting_world.list("poddisruptionbudgets") != []


def _child(model: Raw, kind: str) -> str:
    of_revision = kind in ("deployment", "configmap")
    return f"{MODEL}-{model['status']['stable']['revision']}" if of_revision else MODEL


def _intent(child: Raw) -> Raw:
    """Gives what the operator decides of an object."""
    return {
        "labels": child["metadata"]["labels"],
        "owners": child["metadata"]["ownerReferences"],
        "data": child.get("data"),
        "spec": {key: value for key, value in child.get("spec", {}).items() if not key.startswith("clusterIP")},
    }


def _another(world: World, lost: Raw) -> Raw | None:
    """Gives the object that has the name of the lost one, once it is scaled as that was."""
    found = world.kubectl("get", lost["kind"], lost["metadata"]["name"], "--ignore-not-found", "-o", "json")
    again: Raw = json.loads(found) if found.strip() else lost
    if again["metadata"]["uid"] == lost["metadata"]["uid"]:
        return None
    scaled = again.get("spec", {}).get("replicas") == lost.get("spec", {}).get("replicas")
    return again if scaled else None


def _pods(world: World, selector: str = f"sentinel.dev/name={MODEL}") -> list[Raw]:
    return [pod for pod in world.list("pods", selector) if "deletionTimestamp" not in pod["metadata"]]


def _suspend(world: World, *, on: bool) -> None:
    world.kubectl("patch", "sentrymodel", MODEL, "--type=merge", "--patch", json.dumps({"spec": {"suspend": on}}))
