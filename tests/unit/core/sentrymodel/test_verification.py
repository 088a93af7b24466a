"""What is said of the artifact that is served, and by whom it was signed."""

from __future__ import annotations

from tests.support.builders import DIGEST_1, a_model, a_pod
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import first_revision, served, signed_model


def verified_by(**verification) -> World:
    told = {"authority": "ml-release", "identity": "sha256:abc", **verification}
    return first_revision(signed_model(), lambda pod: pod.scheduled().fetched(**told).ready())


def test_who_signed_is_told():
    world = verified_by()
    expected = {"digest": DIGEST_1, "authority": "ml-release", "identity": "sha256:abc", "at": "2025-03-01T12:00:01Z"}
    assert world.status["verification"] == expected
    assert world.condition("ModelVerified")["status"] == "True"
    assert "signed by ml-release" in world.condition("ModelVerified")["message"]


def test_a_signature_that_is_only_warned_about_is_not_verified():
    world = verified_by(authority="", warning="no signature")
    assert world.condition("Ready")["status"] == "True"
    assert world.condition("ModelVerified")["status"] == "False"
    assert world.condition("ModelVerified")["message"] == "spec.model.verify: no signature"


def test_without_anything_to_check_nothing_is_claimed():
    world = first_revision(a_model().with_spec(model={"digest": None}), lambda pod: pod.ready())
    assert world.condition("ModelVerified")["status"] == "Unknown"
    assert world.status["stable"]["modelDigest"] == DIGEST_1


def test_a_pod_that_verified_later_changes_nothing():
    world = served(2)
    before = world.status
    for at, pod in zip(("2025-03-01T13:00:00Z", "2025-03-01T11:00:00Z"), world.pods, strict=True):
        pod.builder = a_pod(pod.builder.deployment, pod.builder.name).scheduled().fetched(at=at).ready()
        world.pass_once()
        assert world.status == before


def test_of_several_digests_of_one_image_a_known_one_stays_while_it_is_true():
    world = served(2)
    one, two = (f"registry.test/server@sha256:{letter * 64}" for letter in "ba")
    for images, expected in (((one, one), one), ((one, two), one), ((two, two), two)):
        for image, pod in zip(images, world.pods, strict=True):
            pod.builder = pod.builder.ready(image)
        world.pass_once()
        assert world.status["stable"]["imageDigest"] == expected.rpartition("@")[2]


def test_a_start_from_the_cache_is_shown_where_there_is_one():
    model = a_model().with_spec(model={"cache": {"type": "Pvc", "claimName": "cache"}})
    cached = first_revision(model, lambda pod: pod.scheduled().fetched(fromCache=True).ready())
    fresh = first_revision(model, lambda pod: pod.ready())
    without = first_revision(a_model(), lambda pod: pod.ready())
    assert cached.condition("ArtifactFromCache")["status"] == "True"
    assert fresh.condition("ArtifactFromCache")["status"] == "False"
    assert without.condition("ArtifactFromCache") == {}
