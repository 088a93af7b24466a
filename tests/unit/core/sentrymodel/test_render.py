"""What is shown offline is what a pass would apply, and what is wrong is said by field."""

from __future__ import annotations

import pytest

from sentinel_operator.core.sentrymodel.render import render
from tests.support.builders import DIGEST_1, a_config_map, a_model
from tests.support.simulation import World


def without_owner(manifest: dict) -> dict:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "ownerReferences"}
    return {**manifest, "metadata": metadata}


def test_it_is_what_a_first_pass_applies_with_the_replicas_said():
    rendered = render(a_model().with_replicas(3).raw)
    plan = World.of(a_model().with_replicas(3)).plan()
    deployments = [child for child in rendered if child["kind"] == "Deployment"]
    assert [child["spec"].pop("replicas") for child in deployments] == [3]
    assert rendered == [without_owner(step.manifest) for step in plan.apply]


@pytest.mark.parametrize(
    ("model", "replicas"),
    [(a_model(), 1), (a_model().with_replicas(0), 0), (a_model().with_autoscaling(2, 5), 2)],
    ids=["absent means one", "none", "what an autoscaler starts from"],
)
def test_a_deployment_is_rendered_with_the_number_that_is_wanted(model, replicas):
    assert [each["spec"]["replicas"] for each in render(model.raw) if each["kind"] == "Deployment"] == [replicas]


def test_a_suspended_model_is_rendered_like_any_other():
    assert render(a_model().suspended().raw) == render(a_model().raw)


def test_a_manifest_as_people_write_it_needs_no_namespace():
    raw = a_model().raw
    children = render({**raw, "metadata": {"name": "fraud"}})
    assert {child["metadata"]["namespace"] for child in children} == {"default"}


def test_what_is_referred_to_and_not_given_is_a_placeholder():
    source = {
        "type": "Https",
        "objectStore": None,
        "https": {"url": "https://x.test/m", "caBundle": {"name": "ca", "key": "crt"}},
    }
    model = a_model().with_spec(model={"source": source}).raw
    offline, given = render(model), render(model, config_maps=[a_config_map("ca", crt="PEM")])
    assert config_map(offline)["data"]["ca-bundle.pem"] == "<key crt of ConfigMap ca>"
    assert config_map(given)["data"]["ca-bundle.pem"] == "PEM"
    assert config_map(offline)["metadata"]["name"] != config_map(given)["metadata"]["name"]


def config_map(children: list[dict]) -> dict:
    return next(child for child in children if child["kind"] == "ConfigMap")


def test_a_spec_that_is_not_valid_is_refused_by_the_name_of_its_field():
    with pytest.raises(ValueError, match=r"spec\.model\.digest"):
        render(a_model().with_spec(model={"digest": DIGEST_1.upper()}).raw)


def test_a_reference_whose_key_is_missing_is_refused_by_the_name_of_its_field():
    jwt = {"issuer": "https://issuer.test", "audience": "fraud", "jwks": {"name": "keys", "key": "jwks.json"}}
    model = a_model().with_spec(access={"auth": {"jwt": jwt}}).raw
    with pytest.raises(ValueError, match=r"spec\.access\.auth\.jwt\.jwks: ConfigMap team-a/keys has no key"):
        render(model, config_maps=[a_config_map("keys", other="{}")])
