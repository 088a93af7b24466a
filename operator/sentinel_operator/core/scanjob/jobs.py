"""The Jobs of a ScanJob: one that plans, one with an index a shard, one that reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sentinel_operator.api.scanjob import ScanJobSpec
from sentinel_operator.api.scanning import ScanExit
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.serving import CONFIG_DIR, METRICS_PORT, ExitCode
from sentinel_operator.core.names import Owner
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.pods.bring import fetch_container, source_container
from sentinel_operator.core.pods.containers import container, environment, resources
from sentinel_operator.core.pods.template import identity, placement, spread
from sentinel_operator.core.pods.volumes import Mounted
from sentinel_operator.core.scanjob.config import artifacts
from sentinel_operator.core.scanjob.volumes import SCAN, Step, mounted

COMPONENTS: Mapping[Step, str] = {"plan": "plan", "shard": "scan", "report": "report"}
COMPONENT = "app.kubernetes.io/component"
QUEUE_NAME = "kueue.x-k8s.io/queue-name"
_TRIES = 6
"""Of a plan or a report that its store, or its signer, could not be reached for."""
_HOPELESS = frozenset(
    {
        *(ScanExit.AccessDenied, ScanExit.NotFound, ScanExit.InvalidConfig, ScanExit.ModelUnreadable),
        *(ScanExit.PlanMissing, ScanExit.ResultsMissing),
        *(ExitCode.DigestMismatch, ExitCode.SignatureInvalid, ExitCode.ArtifactTooLarge),
    }
)
"""Ends that another try cannot change, whichever shard it is; fetch and scan agree on the codes that both have."""


def children_name(owner: Owner) -> str:
    """Names what all pods share; apart from what a SentryModel of the same name has."""
    return f"{owner.name}-scan"


def job_name(owner: Owner, step: Step) -> str:
    """Names a Job; 59 characters at most, and its pods' host names 63."""
    return f"{owner.name}-{COMPONENTS[step]}"


def desired_job(
    spec: ScanJobSpec, config: SentinelConfigSpec, step: Step, *, owner: Owner, shards: int = 1
) -> Manifest:
    """Gives the Job as it is made. A Job cannot be changed but for its pace: what comes later does not reach it."""
    labels = owner.labels(COMPONENTS[step], extra=spec.labels)
    queue = {QUEUE_NAME: spec.queue_name} if spec.queue_name is not None else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(owner, step),
            "namespace": owner.namespace,
            "labels": {**labels, **queue},
            "ownerReferences": [owner.reference()],
        },
        "spec": {
            **(_indexed(spec, shards) if step == "shard" else _single()),
            # A pod is replaced when it has ended: two of them at once would write the same results.
            "podReplacementPolicy": "Failed",
            "template": _template(spec, config, step, owner=owner),
        },
    }


def paced_job(spec: ScanJobSpec, step: Step, live: ObjectRef, *, shards: int) -> Manifest:
    """Gives what of a Job may change while it runs. Its `suspend` is Kueue's where Kueue admits it, until the user
    suspends it. The uid keeps a Job that is gone from being made anew from this."""
    pace: Manifest = {}
    if spec.suspend or spec.queue_name is None:
        pace["suspend"] = spec.suspend
    if step == "shard":
        pace["parallelism"] = min(spec.parallelism, shards)
    metadata = {"name": live.name, "namespace": live.namespace, "uid": live.uid}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": pace}


def _indexed(spec: ScanJobSpec, shards: int) -> Manifest:
    most = spec.on_failure.max_failed_indexes
    return {
        "completionMode": "Indexed",
        "completions": shards,
        "parallelism": min(spec.parallelism, shards),
        "backoffLimitPerIndex": spec.on_failure.backoff_limit_per_index,
        **({"maxFailedIndexes": min(most, shards)} if most is not None else {}),
        "podFailurePolicy": {
            "rules": [
                _ignored(),
                _on_codes("FailIndex", ScanExit.ShardUnreadable),
                _on_codes("FailJob", *_HOPELESS),
            ]
        },
    }


def _single() -> Manifest:
    return {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": _TRIES,
        "podFailurePolicy": {"rules": [_ignored(), _on_codes("FailJob", *_HOPELESS, ScanExit.ShardUnreadable)]},
    }


def _ignored() -> Manifest:
    """A node that is drained says nothing of the shard."""
    return {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


def _on_codes(action: str, *codes: int) -> Manifest:
    return {"action": action, "onExitCodes": {"operator": "In", "values": sorted({int(code) for code in codes})}}


def _template(spec: ScanJobSpec, config: SentinelConfigSpec, step: Step, *, owner: Owner) -> Manifest:
    pod, component = spec.pod, COMPONENTS[step]
    volumes = mounted(spec, step, config_map=children_name(owner))
    return {
        "metadata": {
            "labels": owner.labels(component, extra={**(spec.labels or {}), **(pod.labels or {})}),
            "annotations": {**(pod.annotations or {}), "kubectl.kubernetes.io/default-container": SCAN},
        },
        "spec": {
            "restartPolicy": "Never",
            **_containers(spec, config, step, volumes=volumes),
            "volumes": [each.volume for each in volumes],
            **identity(pod, account=children_name(owner)),
            "topologySpreadConstraints": spread(
                pod, selector={**owner.selector, "app.kubernetes.io/component": component}
            ),
            **placement(pod),
        },
    }


def _containers(spec: ScanJobSpec, config: SentinelConfigSpec, step: Step, *, volumes: tuple[Mounted, ...]) -> Manifest:
    scan = {
        **container(SCAN, config.images.scan, volumes, env=environment(spec.pod)),
        "args": [step],
        "resources": resources(spec.pod),
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
    }
    brought = [each for each in _brought(spec, config, volumes=volumes) if step == "shard"]
    return {**({"initContainers": brought} if brought else {}), "containers": [scan]}


def _brought(spec: ScanJobSpec, config: SentinelConfigSpec, *, volumes: tuple[Mounted, ...]) -> Iterator[Manifest]:
    for model, place in artifacts(spec):
        source = source_container(model, place, volumes)
        if source is not None:
            yield source
        args = ["--config", f"{CONFIG_DIR}/{place.config_file}", "--out", place.folder]
        yield fetch_container(model, place, volumes, image=config.images.fetch, env=environment(spec.pod), args=args)
