"""A cluster in a value: what the API server, the Deployment controller, the autoscaler and kubelets make of plans.

No clock runs and nothing waits: `settle` lets everybody act in turn until nobody has anything left to do.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.serving import ExitCode
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.plan import Apply, Delete, Event, Evict, Failure, ObjectRef, Plan, Scale
from sentinel_operator.core.sentrymodel.observe import Observed
from sentinel_operator.core.sentrymodel.reconciler import SentryModelReconciler
from tests.support.builders import NOW, ModelBuilder, PodBuilder, Raw, a_pod

Fate = Callable[[str], ExitCode | None]
"""What becomes of a pod of a version: None if it gets ready."""
Key = tuple[str, str]


def every_version_works(_: str) -> ExitCode | None:
    return None


def follows(deployment: Raw) -> bool:
    """Tells whether its pods watch what they should serve: the one part of a template that may change."""
    return "follow" in {each["name"] for each in deployment["spec"]["template"]["spec"]["containers"]}


def a_job_pod(job: Raw, **status: Any) -> Raw:
    """The pod of a Job; without a status it runs."""
    metadata = job["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-abc",
            "uid": f"pod-of-{metadata['uid']}",
            "namespace": metadata["namespace"],
            "labels": job["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [{"kind": "Job", "name": metadata["name"], "uid": metadata["uid"], "controller": True}],
        },
        "status": status or {"phase": "Running"},
    }


@dataclass
class SimulatedPod:
    """A pod, and what it is on the way to."""

    builder: PodBuilder
    revision: str
    version: str
    ready: bool = False


@dataclass
class World:
    """Everything in the namespace of one model."""

    model: Raw
    fate: Fate = every_version_works
    now: datetime = NOW
    objects: dict[Key, Raw] = field(default_factory=dict)
    pods: list[SimulatedPod] = field(default_factory=list)
    job_pod: Callable[[Raw], Raw | None] = a_job_pod
    """The pod of a Job that has not ended, if there is one."""
    config_maps: dict[str, Raw] = field(default_factory=dict)
    config: SentinelConfigSpec = field(default_factory=SentinelConfigSpec)
    events: list[Event] = field(default_factory=list)
    outside: Outside = NOTHING
    status_writes: int = 0
    watched: Callable[[World], None] = lambda _: None
    patience: float = 29.0
    """`settle` lets time pass when nothing else happens and the next pass is due within so many seconds."""
    next_pass: float | None = None
    _made: int = 0

    def __post_init__(self) -> None:
        self.reconciler = SentryModelReconciler()

    @classmethod
    def of(cls, model: ModelBuilder, **more: Any) -> World:
        return cls(model=copy.deepcopy(model.raw), **more)

    # ------------------------------------------------------------------------------------ what people do

    def edit(self, model: ModelBuilder) -> None:
        """Applies another spec."""
        if model.raw["spec"] == self.model["spec"]:
            return
        generation = self.model["metadata"]["generation"] + 1
        metadata = {**self.model["metadata"], "generation": generation}
        self.model = {**self.model, "spec": copy.deepcopy(model.raw["spec"]), "metadata": metadata}

    def lose_status(self) -> None:
        """Forgets what earlier passes wrote."""
        self.model.pop("status", None)

    # ------------------------------------------------------------------------------------ what the operator does

    def plan(self) -> Plan:
        """One observation and what it leads to."""
        return self.reconciler.plan(self.observed())

    def refused(self, failure: Failure) -> Plan | None:
        """What is told of a step that the API server refused."""
        return self.reconciler.on_error(self.observed(), failure)

    def observed(self) -> Observed:
        """One observation."""
        raw = copy.deepcopy(self.model)
        references = {ref: self.config_maps.get(ref.name) for ref in self.reconciler.references(raw)}
        children = tuple(self.objects[key] for key in sorted(self.objects))
        jobs = [each for each in children if each["kind"] == "Job" and not (each.get("status") or {}).get("conditions")]
        measuring = [pod for job in jobs if (pod := self.job_pod(job)) is not None]
        pods = (*(pod.builder.raw for pod in self.pods), *measuring)
        return self.reconciler.observe(raw, children, pods, references, self.config, self.now, self.outside)

    def execute(self, plan: Plan, *, steps: int | None = None) -> int:
        """Carries a plan out, or only its first steps, as an operator does that is killed; counts the writes."""
        actions = (*plan.apply, *plan.scale, *plan.delete, *plan.evict)
        writes = 0
        for action in actions if steps is None else actions[:steps]:
            writes += self._act(action)
            self.watched(self)
        if steps is None or steps > len(actions):
            writes += self._write_status(plan)
        return writes

    def pass_once(self) -> int:
        plan = self.plan()
        # What is a long way off is not waited for, nor what only tests can measure.
        soon = (
            plan.requeue_after is not None
            and plan.requeue_after <= self.patience
            and not (plan.measure and plan.measure.tasks)
        )
        self.next_pass = plan.requeue_after if soon else None
        return self.execute(plan)

    def _act(self, action: Apply | Scale | Delete | Evict) -> int:
        match action:
            case Apply():
                return self._apply(action.manifest)
            case Scale():
                deployment = self.objects[self._key(action.ref)]
                changed = deployment["spec"]["replicas"] != action.replicas
                deployment["spec"]["replicas"] = action.replicas
                return int(changed)
            case Delete():
                found = self.objects.get(self._key(action.ref))
                assert found is not None
                assert found["metadata"]["uid"] == action.ref.uid
                del self.objects[self._key(action.ref)]
                return 1
            case Evict():
                (pod,) = [pod for pod in self.pods if pod.builder.name == action.ref.name]
                pod.builder, pod.ready = pod.builder.going(), False
                return 1

    def _apply(self, manifest: Raw) -> int:
        key = (manifest["kind"], manifest["metadata"]["name"])
        live, intent = self.objects.get(key), copy.deepcopy(manifest)
        if live is None:
            self._made += 1
            intent["metadata"]["uid"] = f"uid-{self._made}"
            created = NOW + timedelta(seconds=self._made)
            intent["metadata"]["creationTimestamp"] = created.strftime("%Y-%m-%dT%H:%M:%SZ")
            if intent["kind"] == "Deployment":
                intent["spec"].setdefault("replicas", 1)
            self._count(intent)
            self.objects[key] = intent
            return 1
        if live["kind"] == "Job":
            assert live["spec"] == intent["spec"], "a Job would be changed"
        if live.get("immutable"):
            assert live["data"] == intent["data"], "an immutable ConfigMap would be changed"
        after = {**live, **intent, "metadata": {**live["metadata"], **intent["metadata"]}}
        if live["kind"] == "Deployment":
            same = live["spec"]["template"] == intent["spec"]["template"]
            assert same or follows(live) != follows(intent), "a template would be changed"
            after["spec"] = {**intent["spec"], "replicas": live["spec"]["replicas"]}
        changed = after != live
        if changed:
            self._count(after)
        self.objects[key] = after
        return int(changed)

    def _count(self, raw: Raw) -> None:
        """Gives the version that an API server would give to what it has written."""
        self._made += 1
        raw["metadata"] = {**raw["metadata"], "resourceVersion": str(self._made)}
        if raw["kind"] == "HTTPRoute":
            raw["metadata"]["generation"] = self._made

    def _write_status(self, plan: Plan) -> int:
        self.events.extend(plan.events)
        if plan.status is None or plan.status == self.model.get("status"):
            return 0
        self.model = {**self.model, "status": json.loads(json.dumps(plan.status))}
        self.status_writes += 1
        return 1

    # ------------------------------------------------------------------------------------ what the cluster does

    def deployments_act(self) -> int:
        """Makes and removes pods until every Deployment has its number; the ones that are not ready go first."""
        acted = 0
        wanted = {
            deployment["metadata"]["labels"]["sentinel.dev/revision"]: deployment
            for (kind, _), deployment in self.objects.items()
            if kind == "Deployment"
        }
        for revision, deployment in sorted(wanted.items()):
            mine = (pod for pod in self.pods if pod.revision == revision and not pod.builder.deleting)
            have = sorted(mine, key=lambda pod: pod.ready)
            for pod in have[: max(0, len(have) - deployment["spec"]["replicas"])]:
                self.pods.remove(pod)
                acted += 1
            for _ in range(deployment["spec"]["replicas"] - len(have)):
                self._made += 1
                builder = a_pod(deployment, f"{deployment['metadata']['name']}-abc-{self._made:05}")
                version = deployment["metadata"]["annotations"]["sentinel.dev/version"]
                self.pods.append(SimulatedPod(builder, revision, version))
                acted += 1
        orphans = [pod for pod in self.pods if pod.revision not in wanted]
        self.pods = [pod for pod in self.pods if pod.revision in wanted]
        return acted + len(orphans)

    def gateways_act(self) -> int:
        """Takes every route as it is."""
        acted = 0
        for (kind, _), route in self.objects.items():
            if kind == "HTTPRoute":
                taken = {"type": "Accepted", "status": "True", "observedGeneration": route["metadata"]["generation"]}
                parents = [{"parentRef": parent, "conditions": [taken]} for parent in route["spec"]["parentRefs"]]
                acted += int(route.get("status") != {"parents": parents})
                route["status"] = {"parents": parents}
        return acted

    def services_act(self) -> int:
        """Publishes the ready pods that each Service selects."""
        acted = self.gateways_act()
        services = {name: each for (kind, name), each in self.objects.items() if kind == "Service"}
        for name, service in services.items():
            slice_ = self._slice(service)
            acted += int(self.objects.get(("EndpointSlice", name)) != slice_)
            self.objects["EndpointSlice", name] = slice_
        for key in [key for key in self.objects if key[0] == "EndpointSlice" and key[1] not in services]:
            del self.objects[key]
            acted += 1
        return acted

    def _slice(self, service: Raw) -> Raw:
        selector = service["spec"]["selector"].items()
        pods = [pod.builder.raw for pod in self.pods if pod.ready]
        chosen = [pod["metadata"]["name"] for pod in pods if selector <= pod["metadata"]["labels"].items()]
        metadata = {
            "name": service["metadata"]["name"],
            "namespace": service["metadata"]["namespace"],
            "labels": {**service["metadata"]["labels"], "kubernetes.io/service-name": service["metadata"]["name"]},
            "ownerReferences": [{"kind": "Service", "uid": service["metadata"]["uid"], "controller": True}],
        }
        endpoints = [
            {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": name}} for name in sorted(chosen)
        ]
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata,
            "endpoints": endpoints,
        }

    def kubelets_act(self, *, at_most: int = 1000) -> int:
        """Brings pods to what becomes of them. One that is ready has its artifact, and stays so."""
        acted = len([pod for pod in self.pods if pod.builder.deleting])
        self.pods = [pod for pod in self.pods if not pod.builder.deleting]
        for pod in [pod for pod in self.pods if not pod.ready]:
            fate = self.fate(pod.version)
            after = pod.builder.ready() if fate is None else pod.builder.scheduled().refused(fate, "said the pod")
            if acted < at_most and after.raw != pod.builder.raw:
                pod.builder, pod.ready = after, fate is None
                acted += 1
        return acted

    def break_pods(self, number: int) -> None:
        """Makes pods stop being ready; their kubelets may bring them back."""
        self._break([pod for pod in self.pods if pod.ready][:number])

    def break_version(self, version: str, number: int) -> None:
        """Makes pods of one version stop being ready."""
        self._break([pod for pod in self.pods if pod.ready and pod.version == version][:number])

    @staticmethod
    def _break(pods: list[SimulatedPod]) -> None:
        for pod in pods:
            pod.builder, pod.ready = a_pod(pod.builder.deployment, pod.builder.name).scheduled(), False

    def autoscaler_acts(self, load: int = 0) -> int:
        """Sets the replicas of its target within its bounds, unless there are none."""
        acted = 0
        for (kind, _), autoscaler in self.objects.items():
            if kind != "HorizontalPodAutoscaler":
                continue
            spec = autoscaler["spec"]
            target = self.objects.get(("Deployment", spec["scaleTargetRef"]["name"]))
            if target is None or target["spec"]["replicas"] == 0:
                continue
            wanted = min(max(load or target["spec"]["replicas"], spec["minReplicas"]), spec["maxReplicas"])
            acted += int(target["spec"]["replicas"] != wanted)
            target["spec"]["replicas"] = wanted
        return acted

    def settle(self, *, rounds: int = 200, load: int = 0) -> int:
        """Lets everybody act until nothing changes any more; gives the number of rounds that it took."""
        for taken in range(rounds):
            acted = self.pass_once()
            self.watched(self)
            acted += self.deployments_act() + self.autoscaler_acts(load) + self.kubelets_act() + self.services_act()
            self.watched(self)
            if not acted and self.next_pass is None:
                return taken
            if not acted:
                self.wait(self.next_pass or 0.0)
        raise AssertionError(f"no rest after {rounds} rounds: {self.replicas()}, {self.condition('Ready')}")

    def wait(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += timedelta(seconds=seconds)

    # ------------------------------------------------------------------------------------ what can be seen

    @property
    def status(self) -> Raw:
        return self.model.get("status") or {}

    @property
    def phase(self) -> str:
        return str(self.status.get("phase"))

    def condition(self, type_: str) -> Raw:
        found = [each for each in self.status.get("conditions", ()) if each["type"] == type_]
        return found[0] if found else {}

    def replicas(self) -> dict[str, int]:
        """What the Deployments ask for, by the version that they serve, without those that ask for nothing."""
        found: dict[str, int] = {}
        for (kind, _), each in self.objects.items():
            if kind == "Deployment" and each["spec"]["replicas"]:
                version = each["metadata"]["annotations"]["sentinel.dev/version"]
                found[version] = found.get(version, 0) + each["spec"]["replicas"]
        return found

    def ready(self) -> int:
        """Pods that answer and that nobody is about to remove."""
        count = 0
        for (kind, _), each in self.objects.items():
            if kind == "Deployment":
                revision = each["metadata"]["labels"]["sentinel.dev/revision"]
                pods = sum(pod.ready for pod in self.pods if pod.revision == revision)
                count += min(pods, each["spec"]["replicas"])
        return count

    def reasons(self) -> list[str]:
        """The reasons of the events so far."""
        return [event.reason for event in self.events]

    @staticmethod
    def _key(ref: ObjectRef) -> Key:
        return ref.kind, ref.name
