"""For everything that can go wrong in a pod: the reason, the field, and whether to wait."""

from __future__ import annotations

import pytest

from sentinel_operator.api.serving import ExitCode
from sentinel_operator.core.sentrymodel.faults import conclusion
from tests.support.builders import a_model, a_pod
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import first_revision, signed_model, summary

REFUSALS = {
    ExitCode.DigestMismatch: ("spec.model.digest", True),
    ExitCode.SignatureInvalid: ("spec.model.verify", True),
    ExitCode.AccessDenied: ("spec.model.source", True),
    ExitCode.NotFound: ("spec.model.source", True),
    ExitCode.StorageUnreachable: ("spec.model.source", False),
    ExitCode.ArtifactTooLarge: ("spec.model.maxBytes", True),
    ExitCode.InvalidConfig: ("", True),
    ExitCode.NoSpace: ("", False),
    ExitCode.ScanMissing: ("spec.model.requireScan", False),
    ExitCode.ScanInvalid: ("spec.model.requireScan", True),
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
        ("copying\n  oops \n\n", "spec.model.digest: oops"),
        ('{"reason": 3}', 'spec.model.digest: {"reason": 3}'),
        ("x" * 4096, "spec.model.digest: " + "x" * 511 + "…"),
    ],
    ids=["nothing", "its last line", "nonsense", "too much"],
)
def test_a_container_may_say_anything_and_its_exit_code_counts(message, shown):
    world = first_revision(a_model(), lambda pod: pod.ended("fetch", ExitCode.DigestMismatch, message))
    assert summary(world)[0] == "DigestMismatch"
    assert world.condition("Ready")["message"] == shown


TRACEBACK = """\
  File "/usr/lib/python3.11/runpy.py", line 198, in _run_module_as_main
KeyError: 'opset'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/sentinel_workloads/model_server/__main__.py", line 9, in <module>
    main()
  File "/app/sentinel_workloads/model_server/app.py", line 41, in main
    raise ValueError("no opset in the model")
ValueError: no opset in the model
"""
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
    "a crash of Python": (
        lambda pod: pod.ended("server", 1, TRACEBACK),
        "CrashLoopBackOff", "container server ended with exit code 1: ValueError: no opset in the model", False,
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


@pytest.mark.parametrize(
    ("log", "comes_to"),
    [
        ("", ""),
        (" \n\n", ""),
        ("loading\nSegmentation fault (core dumped)\n", "Segmentation fault (core dumped)"),
        (TRACEBACK, "ValueError: no opset in the model"),
        (
            "Traceback (most recent call last):\n  File x\n1 error for Config:\nport\n  is no port\n",
            "1 error for Config:\nport\n  is no port",
        ),
        ("Traceback (most recent call last):\n  File x, line 9, in f", "File x, line 9, in f"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
    ],
    ids=["nothing", "blanks", "no Python", "a chain", "a message of several lines", "cut off", "cut off at once"],
)
def test_what_the_end_of_a_log_comes_to(log, comes_to):
    assert conclusion(log) == comes_to


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
