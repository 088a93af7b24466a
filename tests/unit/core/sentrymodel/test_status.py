"""What a person reads: for everything that can go wrong in a pod, the reason, the field, and whether to wait."""

from __future__ import annotations

import copy

import pytest

from sentinel_operator.api.sentrymodel import SentryModelStatus
from sentinel_operator.api.serving import ExitCode
from tests.support.builders import DIGEST_1, DIGEST_2, ModelBuilder, a_model, a_pod
from tests.support.simulation import World

STORE = {"credentialsSecretRef": {"name": "object-store"}}
AUTHORITIES = [{"name": "ml-release", "key": {"secretRef": {"name": "ml-release", "key": "signing.pub"}}}]


def signed_model() -> ModelBuilder:
    return a_model().with_spec(model={"source": {"objectStore": STORE}, "verify": {"authorities": AUTHORITIES}})


def first_revision(model: ModelBuilder, arrange) -> World:
    """A model whose first revision has one pod, in a state of our choice."""
    world = World.of(model)
    world.pass_once()
    world.deployments_act()
    return with_pods(world, arrange)


def with_pods(world: World, arrange) -> World:
    for pod in world.pods:
        if not pod.ready:
            pod.builder = arrange(a_pod(pod.builder.deployment, pod.builder.name))
    world.pass_once()
    return world


def summary(world: World) -> tuple[str, str, str, str]:
    conditions = [world.condition(each)["status"] for each in ("Ready", "Reconciling", "Stalled")]
    return world.condition("Ready")["reason"], *conditions


REFUSALS = {
    ExitCode.DigestMismatch: ("spec.model.digest", True),
    ExitCode.SignatureInvalid: ("spec.model.verify", True),
    ExitCode.AccessDenied: ("spec.model.source", True),
    ExitCode.NotFound: ("spec.model.source", True),
    ExitCode.StorageUnreachable: ("spec.model.source", False),
    ExitCode.ArtifactTooLarge: ("spec.model.maxBytes", True),
    ExitCode.InvalidConfig: ("", True),
    ExitCode.NoSpace: ("", False),
    ExitCode.SchemaMismatch: ("spec.schema", True),
    ExitCode.ModelUnreadable: ("spec.model.source", True),
}


def test_every_exit_code_has_a_meaning():
    assert set(REFUSALS) == set(ExitCode) - {ExitCode.Ok}


@pytest.mark.parametrize("backoff", [True, False], ids=["between two attempts", "while the next one runs"])
@pytest.mark.parametrize(("code", "field", "terminal"), [(c, *rest) for c, rest in REFUSALS.items()], ids=str)
def test_what_a_container_gave_up_for(code, field, terminal, backoff):
    container = "server" if code >= 20 else "fetch"
    message = {"reason": code.name, "field": "", "message": "as it says"}
    world = first_revision(a_model(), lambda pod: pod.ended(container, code, message, backoff=backoff))
    assert summary(world) == (code.name, "False", "False" if terminal else "True", "True" if terminal else "False")
    assert world.condition("Ready")["message"].startswith(f"{field}: as it says" if field else "as it says")
    assert world.phase == ("Stalled" if terminal else "Pending")


def test_a_containers_own_word_on_the_field_counts():
    field = "spec.model.verify.authorities[0].key.secretRef"
    world = first_revision(a_model(), lambda pod: pod.refused(ExitCode.InvalidConfig, "no PEM", field=field))
    assert world.condition("Ready")["message"] == f"{field}: no PEM"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("", "spec.model.digest: DigestMismatch"),
        ("Traceback\n  oops", "spec.model.digest: Traceback oops"),
        ('{"reason": 3}', 'spec.model.digest: {"reason": 3}'),
        ("x" * 4096, "spec.model.digest: " + "x" * 511 + "…"),
    ],
    ids=["nothing", "its last lines", "nonsense", "too much"],
)
def test_a_container_may_say_anything_and_its_exit_code_counts(message, shown):
    world = first_revision(a_model(), lambda pod: pod.ended("fetch", ExitCode.DigestMismatch, message))
    assert summary(world)[0] == "DigestMismatch"
    assert world.condition("Ready")["message"] == shown


STARTING = {
    "no image": (
        lambda pod: pod.waiting("server", "ImagePullBackOff", "Back-off pulling", image="registry.test/server:9"),
        "ImagePullBackOff", "spec.runtime.image: image registry.test/server:9 cannot be pulled", False,
    ),
    "no image at the first attempt": (
        lambda pod: pod.waiting("fetch", "ErrImagePull", "unauthorized", image="sentinel.dev/fetch:dev"),
        "ImagePullBackOff",
        "SentinelConfig spec.images.fetch: image sentinel.dev/fetch:dev cannot be pulled", False,
    ),
    "no such name of an image": (
        lambda pod: pod.waiting("server", "InvalidImageName", image="Not An Image"),
        "InvalidImageName", "spec.runtime.image: 'Not An Image' is not the name of an image", True,
    ),
    "no such Secret": (
        lambda pod: pod.waiting("fetch", "CreateContainerConfigError", 'secret "object-store" not found'),
        "ReferenceNotFound", "spec.model.source.objectStore.credentialsSecretRef: Secret object-store does not exist",
        False,
    ),
    "no such key in the Secret": (
        lambda pod: pod.waiting(
            "fetch", "CreateContainerConfigError", "couldn't find key AWS_ACCESS_KEY_ID in Secret team-a/object-store"
        ),
        "ReferenceNotFound",
        "spec.model.source.objectStore.credentialsSecretRef: Secret object-store has no key AWS_ACCESS_KEY_ID", False,
    ),
    "no such ConfigMap of the user's env": (
        lambda pod: pod.waiting("server", "CreateContainerConfigError", 'configmap "mine" not found'),
        "ReferenceNotFound", "spec.pod.env: ConfigMap mine does not exist", False,
    ),
    "no container for another reason": (
        lambda pod: pod.waiting("server", "CreateContainerConfigError", "runAsNonRoot and image will run as root"),
        "CreateContainerConfigError", "runAsNonRoot and image will run as root", False,
    ),
    "no node": (
        lambda pod: pod.unschedulable("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."),
        "Unschedulable", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", False,
    ),
    "no memory": (
        lambda pod: pod.ended("server", 137, reason="OOMKilled"),
        "OOMKilled", "spec.pod.resources.limits.memory: container server needed more memory than its limit", False,
    ),
    "a crash": (
        lambda pod: pod.ended("server", 1, "Segmentation fault"),
        "CrashLoopBackOff", "container server ended with exit code 1: Segmentation fault", False,
    ),
    "no such path in the image of the artifact": (
        lambda pod: pod.ended("source", 1, "cp: can't stat '/models/x': No such file or directory"),
        "NotFound", "spec.model.source.image.path: cp: can't stat '/models/x': No such file or directory", True,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arrange", "reason", "message", "terminal"), STARTING.values(), ids=STARTING.keys())
def test_what_keeps_a_pod_from_starting(arrange, reason, message, terminal):
    world = first_revision(signed_model(), arrange)
    assert summary(world)[0] == reason
    assert world.condition("Ready")["message"].startswith(message)
    assert world.condition("Stalled")["status"] == str(terminal)


def test_a_pod_that_merely_starts_is_no_fault():
    for arrange in (
        lambda pod: pod,
        lambda pod: pod.scheduled(),
        lambda pod: pod.scheduled().waiting("fetch", "PodInitializing"),
        lambda pod: pod.scheduled().fetched().waiting("server", "ContainerCreating"),
    ):
        assert summary(first_revision(a_model(), arrange)) == ("Progressing", "False", "True", "False")


def test_a_volume_that_never_comes_is_said_with_everything_that_may_be_missing():
    world = first_revision(signed_model(), lambda pod: pod.without_volumes(since="2025-03-01T12:00:00Z"))
    assert summary(world)[0] == "Progressing"
    assert world.plan().requeue_after == 30.0
    world.wait(30)
    world.pass_once()
    assert summary(world) == ("ReferenceNotFound", "False", "True", "False")
    assert "authorities[0].key.secretRef (Secret ml-release, key signing.pub)" in world.condition("Ready")["message"]


def test_pods_that_cannot_even_be_created_are_explained():
    world = World.of(a_model())
    world.pass_once()
    deployment = next(each for (kind, _), each in world.objects.items() if kind == "Deployment")
    message = 'pods "fraud-x" is forbidden: exceeded quota: team-a, requested: pods=1'
    deployment["status"] = {
        "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]
    }
    world.pass_once()
    assert summary(world) == ("FailedCreate", "False", "True", "False")
    assert "exceeded quota" in world.condition("Ready")["message"]


def test_of_several_faults_the_one_that_needs_a_person_is_shown_whatever_the_pods_are_called():
    world = World.of(a_model().with_replicas(2))
    world.pass_once()
    world.deployments_act()
    for order in (1, -1):
        for pod, code in zip(world.pods[::order], (ExitCode.StorageUnreachable, ExitCode.DigestMismatch), strict=True):
            pod.builder = a_pod(pod.builder.deployment, pod.builder.name).refused(code, "no")
        world.pass_once()
        assert summary(world)[0] == "DigestMismatch"


# ------------------------------------------------------------------------------------------------ while one serves


def served(replicas: int = 3) -> World:
    world = World.of(a_model().with_replicas(replicas))
    world.settle()
    return world


def new_version(world: World, arrange) -> World:
    world.edit(a_model().with_replicas(3).with_version("2.0.0", DIGEST_2))
    world.pass_once()
    world.deployments_act()
    return with_pods(world, arrange)


def test_a_refused_version_stalls_and_says_that_the_former_one_serves():
    world = new_version(served(), lambda pod: pod.refused(ExitCode.DigestMismatch, "wanted x, found y"))
    assert summary(world) == ("DigestMismatch", "False", "False", "True")
    stable, canary = world.status["stable"]["revision"], world.status["canary"]["revision"]
    assert world.condition("Ready")["message"] == (
        f"revision {canary} (2.0.0) failed: spec.model.digest: wanted x, found y; "
        f"revision {stable} (1.0.0) goes on serving"
    )
    assert world.condition("Available")["status"] == "True"
    assert world.condition("ModelVerified")["status"] == "False"
    assert (world.status["replicas"], world.status["readyReplicas"]) == (3, 3)
    verdicts = {each["version"]: each["verdict"] for each in world.status["revisions"]}
    assert verdicts == {"1.0.0": "Promoted", "2.0.0": "Failed"}
    assert world.phase == "Stalled"


def test_a_failure_is_not_forgotten_while_its_pods_are_replaced():
    world = new_version(served(), lambda pod: pod.refused(ExitCode.SignatureInvalid, "unsigned"))
    before = world.status
    with_pods(world, lambda pod: pod)
    assert world.status == before


def test_a_failure_ends_when_a_pod_gets_ready_after_all():
    world = new_version(served(), lambda pod: pod.refused(ExitCode.NotFound, "not yet uploaded"))
    world.settle()
    assert summary(world) == ("Ready", "True", "False", "False")
    assert world.status["stable"]["version"] == "2.0.0"


def test_no_progress_in_time_is_a_failure_and_time_is_all_that_is_waited_for():
    world = new_version(served(), lambda pod: pod.refused(ExitCode.StorageUnreachable, "connection refused"))
    assert summary(world) == ("StorageUnreachable", "False", "True", "False")
    assert world.plan().requeue_after == 600.0
    world.wait(600)
    world.pass_once()
    assert summary(world) == ("ProgressDeadlineExceeded", "False", "False", "True")
    message = world.condition("Ready")["message"]
    assert "no progress within 10m: StorageUnreachable: spec.model.source: connection refused" in message
    assert "(1.0.0) goes on serving" in message
    assert world.plan().requeue_after is None
    world.settle()
    assert summary(world)[0] == "Ready"


def test_every_ready_pod_is_progress():
    world = World.of(a_model().with_replicas(2))
    world.pass_once()
    world.deployments_act()
    world.wait(500)
    world.kubelets_act(at_most=1)
    world.pass_once()
    world.wait(500)
    world.pass_once()
    assert summary(world)[0] == "Progressing"
    world.wait(100)
    world.pass_once()
    assert summary(world)[0] == "ProgressDeadlineExceeded"


def test_while_a_version_comes_the_object_is_not_ready_and_still_available():
    world = new_version(served(), lambda pod: pod.scheduled())
    assert summary(world) == ("Progressing", "False", "True", "False")
    assert world.condition("Available")["status"] == "True"
    assert world.phase == "Progressing"
    assert world.status["stable"]["weight"] == 100
    assert world.status["canary"]["weight"] == 0


def test_a_pod_of_what_serves_that_cannot_come_back_degrades_it():
    world = served()
    world.break_pods(1)
    with_pods(world, lambda pod: pod.refused(ExitCode.StorageUnreachable, "connection refused"))
    assert summary(world) == ("StorageUnreachable", "False", "True", "False")
    assert world.phase == "Degraded"
    assert [each["verdict"] for each in world.status["revisions"]] == ["Promoted"]


def test_what_serves_stalls_when_its_artifact_is_no_longer_what_was_declared():
    world = served()
    world.break_pods(1)
    with_pods(world, lambda pod: pod.refused(ExitCode.DigestMismatch, "changed in storage"))
    assert summary(world) == ("DigestMismatch", "False", "False", "True")
    assert world.condition("Available")["status"] == "True"
    assert [each["verdict"] for each in world.status["revisions"]] == ["Promoted"]


# ------------------------------------------------------------------------------------------------ verification


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


# ------------------------------------------------------------------------------------------------ the object itself


def test_an_invalid_spec_stalls_by_field_and_leaves_everything_as_it_is():
    world = served()
    objects, replicas = copy.deepcopy(world.objects), world.replicas()
    world.edit(a_model().with_spec(model={"digest": "sha256:short"}))
    plan = world.plan()
    assert (plan.apply, plan.scale, plan.delete) == ((), (), ())
    world.pass_once()
    assert summary(world) == ("InvalidSpec", "False", "False", "True")
    assert world.condition("Ready")["message"].startswith("spec.model.digest: ")
    assert (world.objects, world.replicas()) == (objects, replicas)
    assert world.status["stable"]["version"] == "1.0.0"
    assert world.condition("Available")["status"] == "True"
    assert world.status["observedGeneration"] == 2
    world.edit(a_model().with_replicas(3))
    world.settle()
    assert summary(world) == ("Ready", "True", "False", "False")


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (a_model("Not-a-name"), "metadata.name"),
        (
            a_model().with_spec(pod={"volumes": [{"name": "model", "mountPath": "/x", "source": {"emptyDir": {}}}]}),
            "name",
        ),
        (
            a_model().with_spec(pod={"volumes": [{"name": "x", "mountPath": "/tmp/x", "source": {"emptyDir": {}}}]}),
            "spec.pod.volumes[0].mountPath",
        ),
        (
            a_model().with_spec(
                model={"source": {"type": "Image", "objectStore": None, "image": {"reference": "a:1", "path": "/"}}}
            ),
            "spec.model.source.image.path",
        ),
    ],
    ids=["a name that no Service can bear", "a volume's name of ours", "a place of ours", "the root of an image"],
)
def test_what_the_schema_cannot_say_is_refused_all_the_same(model, field):
    world = World.of(model)
    world.pass_once()
    assert summary(world)[0] == "InvalidSpec"
    assert field in world.condition("Ready")["message"]


def test_a_status_that_cannot_be_read_is_written_anew():
    world = served()
    world.model["status"] = {"observedGeneration": 1, "conditions": "none of it"}
    world.settle()
    assert summary(world) == ("Ready", "True", "False", "False")
    assert world.status["stable"]["version"] == "1.0.0"


def test_what_is_written_is_what_the_crd_allows():
    for world in (served(), new_version(served(), lambda pod: pod.refused(ExitCode.NotFound, "no"))):
        read = SentryModelStatus.model_validate(world.status)
        assert read.observed_generation == world.model["metadata"]["generation"]
        assert {each.observed_generation for each in read.conditions} == {read.observed_generation}


def test_scaled_to_zero_is_what_was_asked_for():
    world = World.of(a_model().with_replicas(0))
    world.settle()
    assert summary(world) == ("ScaledToZero", "True", "False", "False")
    assert ("Deployment", "fraud") not in world.objects
    assert not world.pods


def test_time_alone_changes_nothing():
    world = served()
    before = world.status
    for _ in range(5):
        world.wait(3600)
        assert world.pass_once() == 0
    assert world.status == before
