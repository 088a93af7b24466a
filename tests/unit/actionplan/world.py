"""A cluster in a value, for plans: an API server that counts versions, controllers that make pods, executors that can
be killed between any two writes, and two of them at once.

No clock runs and nothing waits: whoever tests lets time pass.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from jsonschema import Draft4Validator

from sentinel_operator.api.actionstatus import ACTING, FINISHED
from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.actionplan.edits import merged
from sentinel_operator.core.actionplan.locktable import LockTable
from sentinel_operator.core.actionplan.neighbours import neighbours, targets_of
from sentinel_operator.core.actionplan.reconciler import ActionPlanReconciler
from sentinel_operator.core.actionplan.stamps import APPROVED_BY, REQUESTED_BY, written
from sentinel_operator.core.actionplan.surroundings import Surroundings
from sentinel_operator.core.actionplan.view import TargetView, Telemetry
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import Event, Evict, Failure, ObjectRef, Patch, Plan
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.core.policy.policy import Policy
from sentinel_operator.core.targets import TargetKey
from sentinel_operator.crdgen.definition import definition

Raw = dict[str, Any]
Key = tuple[str, str, str]
NOW = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
BRAIN = Identity(username="inframind", groups=frozenset({"brains"}))


class ConflictError(Exception):
    """The API server says 409."""


class KilledError(Exception):
    """The executor is gone."""


SCHEMA = definition(ACTION_PLAN)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
VALIDATOR = Draft4Validator(SCHEMA)


def assert_fits(status: Raw) -> None:
    """The API server refuses what does not fit, and silently drops what it does not know."""
    assert [f"{'.'.join(map(str, each.path))}: {each.message}" for each in VALIDATOR.iter_errors(status)] == []
    assert list(unknown(status, SCHEMA)) == []
    assert len(json.dumps(status)) < 1_000_000


def unknown(value: Any, schema: Raw, path: str = "status") -> Iterator[str]:
    if isinstance(value, dict) and "properties" in schema:
        for name, each in value.items():
            if name not in schema["properties"]:
                yield f"{path}.{name}"
            else:
                yield from unknown(each, schema["properties"][name], f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from unknown(each, schema["items"], f"{path}[]")


def at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def key_of(raw: Raw) -> Key:
    return raw["kind"], raw["metadata"].get("namespace", ""), raw["metadata"]["name"]


def a_template(image: str, **labels: str) -> Raw:
    return {
        "metadata": {"labels": {"app": "web", **labels}},
        "spec": {"containers": [{"name": "web", "image": image, "resources": {"requests": {"cpu": "500m"}}}]},
    }


def a_deployment(name: str = "web", *, replicas: int = 3, image: str = "web:2", **spec: Any) -> Raw:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": {"tier": "gold"}},
        "spec": {"replicas": replicas, "template": a_template(image), **spec},
    }


def a_node(name: str, **spec: Any) -> Raw:
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec, "status": status}


def a_pod(name: str, node: str, *, owner: str = "web", kind: str = "ReplicaSet") -> Raw:
    owners = [{"kind": kind, "name": owner, "controller": True}]
    metadata = {"name": name, "namespace": "shop", "ownerReferences": owners}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": node},
        "status": {"phase": "Running"},
    }


def a_decision(verb: str, name: str = "web", *, kind: str = "Deployment", id_: str = "", **more: Any) -> Raw:
    version = {"SentryModel": "sentinel.dev/v1alpha1", "Node": "v1"}.get(kind, "apps/v1")
    target = {"apiVersion": version, "kind": kind, "name": name}
    return {"id": id_ or f"{verb}-{name}", "verb": verb, "target": target, **more}


@dataclass
class World:
    """The API server and the controllers, as far as plans can see them."""

    now: datetime = NOW
    reconciler: ActionPlanReconciler = field(default_factory=ActionPlanReconciler)
    objects: dict[Key, Raw] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    config: SentinelConfigSpec = field(default_factory=SentinelConfigSpec)
    telemetry: dict[str, Telemetry] = field(default_factory=dict)
    """By the workload's name; told only to a pass that asks for it."""
    asked: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    """Whose service levels were asked for, and which."""
    measure: Callable[[str], float | None] = lambda _: None
    """The value of a metric by its name; None is an error of the provider."""
    measured: dict[str, dict[str, Measurement]] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    """Names of workloads whose pods never get ready."""
    budget: int | None = None
    """How many more pods may be evicted."""
    refuses: str = ""
    """What admission of others says to every patch."""
    applied: list[tuple[str, Raw]] = field(default_factory=list)
    """Every change of an object that an executor made: which, and the patch."""
    events: list[Event] = field(default_factory=list)
    _version: int = 0

    # ------------------------------------------------------------------------------------ the API server

    def put(self, raw: Raw) -> Raw:
        """Stores an object as a person does: its uid stays, its version counts, its generation if the spec moved."""
        key, stored = key_of(raw), copy.deepcopy(raw)
        before = self.objects.get(key)
        self._version += 1
        metadata = stored["metadata"]
        metadata["resourceVersion"] = str(self._version)
        metadata.setdefault("uid", before["metadata"]["uid"] if before else f"uid-{self._version}")
        metadata.setdefault("creationTimestamp", at(self.now))
        if stored["kind"] not in ("Node", "Pod"):
            moved = before is None or before["spec"] != stored.get("spec")
            metadata["generation"] = (before["metadata"]["generation"] if before else 0) + moved
        self.objects[key] = stored
        return stored

    def remove(self, *key: str) -> None:
        del self.objects[key]  # type: ignore[arg-type]

    def get(self, kind: str, name: str, namespace: str = "shop") -> Raw:
        return self.objects[kind, "" if kind == "Node" else namespace, name]

    def edit(self, kind: str, name: str, **spec: Any) -> None:
        """Somebody else changes a spec."""
        raw = copy.deepcopy(self.get(kind, name))
        raw["spec"].update(spec)
        self.put(raw)

    def spec(self, kind: str, name: str) -> Raw:
        return copy.deepcopy(self.get(kind, name)["spec"])

    def patch(self, request: Patch) -> None:
        live = self.objects.get((request.ref.kind, request.ref.namespace, request.ref.name))
        if live is None or live["metadata"]["uid"] != request.ref.uid:
            raise ConflictError
        if live["metadata"]["resourceVersion"] != request.ref.resource_version:
            raise ConflictError
        changed = merged(copy.deepcopy(live), request.body)
        if changed != live:
            self.applied.append((f"{request.ref.kind}/{request.ref.name}", request.body))
            self.put(changed)

    def evict(self, request: Evict) -> None:
        key = ("Pod", request.ref.namespace, request.ref.name)
        live = self.objects.get(key)
        if live is None or live["metadata"]["uid"] != request.ref.uid or self.budget == 0:
            return
        if self.budget is not None:
            self.budget -= 1
        del self.objects[key]

    # ------------------------------------------------------------------------------------ plans

    def submit(self, *decisions: Raw, name: str = "plan", by: Identity = BRAIN, **spec: Any) -> Raw:
        """Somebody creates a plan; admission stamps who."""
        namespace = spec.pop("namespace", "shop")
        raw = {
            "apiVersion": "sentinel.dev/v1alpha1",
            "kind": "ActionPlan",
            "metadata": {"name": name, "namespace": namespace, "annotations": {REQUESTED_BY: written(by)}},
            "spec": {"planId": name, "source": by.username, **spec, "decisions": list(decisions)},
        }
        return self.put(raw)

    def approve(self, by: Identity, *, name: str = "plan", decision: str = "Approve", namespace: str = "shop") -> None:
        raw = copy.deepcopy(self.get("ActionPlan", name, namespace))
        raw["spec"]["approval"] = {"decision": decision, "reason": "said so"}
        raw["metadata"]["annotations"][APPROVED_BY] = written(by, at=at(self.now))
        self.put(raw)

    def plans(self) -> list[Raw]:
        return [raw for key, raw in sorted(self.objects.items()) if key[0] == "ActionPlan"]

    def status(self, name: str = "plan", namespace: str = "shop") -> Raw:
        return self.get("ActionPlan", name, namespace).get("status") or {}

    def state(self, name: str = "plan", namespace: str = "shop") -> str:
        return self.status(name, namespace).get("state", "")

    def decision(self, id_: str, name: str = "plan", namespace: str = "shop") -> Raw:
        return next(each for each in self.status(name, namespace)["decisions"] if each["id"] == id_)

    def write_status(self, observed: Raw, status: Raw) -> None:
        """Guarded: only over the very object that was observed."""
        live = self.objects[key_of(observed)]
        if live["metadata"]["resourceVersion"] != observed["metadata"]["resourceVersion"]:
            raise ConflictError
        assert_fits(status)
        self.put({**live, "status": json.loads(json.dumps(status))})

    # ------------------------------------------------------------------------------------ the controllers

    def settle(self) -> None:
        """Workloads make their pods ready, all at once; those that are frozen only take note of the new spec."""
        for raw in list(self.objects.values()):
            if raw["kind"] not in ("Deployment", "StatefulSet", "SentryModel"):
                continue
            wanted = raw["spec"].get("replicas", 1)
            status = {**raw.get("status", {}), "observedGeneration": raw["metadata"]["generation"]}
            if raw["metadata"]["name"] not in self.frozen:
                status |= {"replicas": wanted, "readyReplicas": wanted, "updatedReplicas": wanted}
            if status != raw.get("status"):
                self.put({**raw, "status": status})

    def pods_of(self, kind: str, name: str) -> tuple[Raw, ...]:
        pods = [raw for key, raw in sorted(self.objects.items()) if key[0] == "Pod"]
        if kind == "Node":
            return tuple(each for each in pods if each["spec"]["nodeName"] == name)
        return tuple(each for each in pods if each["metadata"]["ownerReferences"][0]["name"] == name)

    def owned(self, raw: Raw | None, kinds: Iterable[str]) -> tuple[Raw, ...]:
        return tuple(
            each
            for key, each in sorted(self.objects.items())
            if raw is not None
            and key[0] in kinds
            and any(one["uid"] == raw["metadata"]["uid"] for one in each["metadata"].get("ownerReferences", ()))
        )


@dataclass
class Executor:
    """One operator: its memory of locks, and a number of writes after which it is killed."""

    world: World
    writes_left: int | None = None
    locks: LockTable = field(default_factory=LockTable)
    measured: frozenset[TargetKey] = frozenset()
    """Targets whose service levels the pass was told."""

    def __post_init__(self) -> None:
        self.locks = LockTable.restored(self.world.plans())

    def around(self, raw: Raw, rehearsed: dict[str, str] | None) -> Surroundings:
        world, uid, targets = self.world, raw["metadata"]["uid"], targets_of(raw)
        return Surroundings(
            policies=world.policies,
            targets={key: self.view(key) for key in targets},
            nodes={key[2]: copy.deepcopy(each) for key, each in world.objects.items() if key[0] == "Node"},
            neighbours=neighbours(raw, world.plans()),
            locked=bool(targets) and self.locks.has(uid, targets),
            holders=self.locks.holders(uid, targets),
            rehearsed=rehearsed,
        )

    def view(self, key: TargetKey) -> TargetView:
        raw = copy.deepcopy(self.world.objects.get((key.kind, key.namespace, key.name)))
        return TargetView(
            raw=raw,
            pods=self.world.pods_of(key.kind, key.name),
            revisions=self.world.owned(raw, ("ReplicaSet", "ControllerRevision")),
            deployments=self.world.owned(raw, ("Deployment",)),
            telemetry=self.world.telemetry.get(key.name, Telemetry()) if key in self.measured else None,
        )

    def observe(self, raw: Raw, rehearsed: dict[str, str] | None = None) -> Any:
        outside = Outside(
            plan=self.around(raw, rehearsed), measured={"plan": self.world.measured.get(raw["metadata"]["uid"], {})}
        )
        return self.world.reconciler.observe(copy.deepcopy(raw), (), (), {}, self.world.config, self.world.now, outside)

    def decide(self, raw: Raw) -> Plan:
        """One pass, with what it asks of the engine: a rehearsal, its targets."""
        self.measured = frozenset()
        plan = self.world.reconciler.plan(self.observe(raw))
        rehearsed = {each.decision: self.world.refuses for each in plan.rehearse} if plan.rehearse else None
        if plan.rehearse or plan.wants_levels:
            self.measured = frozenset(each.target for each in plan.wants_levels)
            self.world.asked.extend((str(each.target), each.levels) for each in plan.wants_levels)
            plan = self.world.reconciler.plan(self.observe(raw, rehearsed))
            assert not plan.wants_levels, "they were told"
        if not plan.wants_locks:
            self.locks.step_back(raw["metadata"]["uid"])
        elif self.locks.take(raw, plan.wants_locks):
            plan = self.world.reconciler.plan(self.observe(raw, rehearsed))
            if (plan.status or raw.get("status") or {}).get("state") not in ACTING:
                self.locks.release(raw["metadata"]["uid"])  # something has come between
        return plan

    def _write(self, write: Callable[[], None]) -> None:
        if self.writes_left == 0:
            raise KilledError
        if self.writes_left is not None:
            self.writes_left -= 1
        write()

    def execute(self, raw: Raw, plan: Plan) -> None:
        """Carries a plan out: what it records comes first. A conflict ends the pass: the next one looks again."""
        try:
            if plan.status is not None and plan.status != raw.get("status"):
                self._write(lambda: self.world.write_status(raw, plan.status))
            for evict in plan.evict:
                if self._in_time(evict.not_after):
                    self._write(lambda evict=evict: self.world.evict(evict))
            for patch in plan.patch:
                if self._in_time(patch.not_after):
                    self._write(lambda patch=patch: self.world.patch(patch))
        except ConflictError:
            return
        self.world.events.extend(plan.events)
        self._take_measurements(raw, plan)

    def _in_time(self, moment: datetime | None) -> bool:
        return moment is None or self.world.now < moment

    def _take_measurements(self, raw: Raw, plan: Plan) -> None:
        for task in plan.measure.tasks if plan.measure is not None else ():
            value, now = self.world.measure(task.check.name), self.world.now
            found = Measurement(at=now, value=value) if value is not None else Measurement(at=now, error="no answer")
            self.world.measured.setdefault(raw["metadata"]["uid"], {})[task.check.name] = found

    def pass_over(self, name: str = "plan", namespace: str = "shop") -> Plan:
        raw = copy.deepcopy(self.world.get("ActionPlan", name, namespace))
        plan = self.decide(raw)
        self.execute(raw, plan)
        if (self.world.get("ActionPlan", name, namespace).get("status") or {}).get("state") in FINISHED:
            self.locks.release(raw["metadata"]["uid"])
        return plan

    def dies_once_it_is_recorded(self, name: str = "plan", namespace: str = "shop") -> None:
        """A pass that is killed between the write of what it is about to do and the doing."""
        self.writes_left = 1
        try:
            self.pass_over(name, namespace)
        except KilledError:
            self.writes_left = None
            return
        raise AssertionError("nothing was to be done")

    def refused(self, name: str, ref: ObjectRef, message: str) -> None:
        """The API server says no for good to a step of the plan."""
        raw = copy.deepcopy(self.world.get("ActionPlan", name))
        told = self.world.reconciler.on_error(self.observe(raw), Failure(ref, 422, "Invalid", message, True))
        if told is not None:
            self.execute(raw, replace(told, patch=(), evict=()))

    def run(
        self, name: str = "plan", *, until: Callable[[], bool] | None = None, passes: int = 200, namespace: str = "shop"
    ) -> str:
        """Passes, and the cluster's answers, until the plan is finished; time passes as the plan asks for it."""
        for _ in range(passes):
            if self.world.state(name, namespace) in FINISHED or (until is not None and until()):
                break
            plan = self.pass_over(name, namespace)
            self.world.settle()
            self.world.now += timedelta(seconds=min(plan.requeue_after or 0.0, 30.0))
        return self.world.state(name, namespace)
