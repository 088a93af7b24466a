"""A cluster in a value, for ScanJobs: what the API server and the Job controller make of plans, pods as tests say.

No clock runs and nothing waits: `settle` lets the operator and the Job controller act in turn until neither has
anything left to do; how a pod ends is what the test says (`succeed`, `fail`).
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sentinel_operator.api.base import Model
from sentinel_operator.api.scanning import Counts, PlanOutcome, Progress, ReportOutcome, ScanFailure, ShardOutcome
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.names import REQUESTED_BY
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.plan import Apply, Delete, Event, Failure, ObjectRef, Plan
from sentinel_operator.core.scanjob.observe import Observed
from sentinel_operator.core.scanjob.reconciler import ScanJobReconciler
from tests.support.builders import NOW, Raw, merged

Key = tuple[str, str]
UID = "5ca11ab1-0000-4000-8000-000000000001"
INDEX = "batch.kubernetes.io/job-completion-index"
STORE = {"endpoint": "https://s3.example.org", "credentialsSecretRef": {"name": "object-store"}}


def a_scan(name: str = "tickets", **spec: Any) -> Raw:
    """Gives a small valid ScanJob: rules alone, a quarantine, a key; `spec` is merged into it."""
    base: Raw = {
        "apiVersion": "sentinel.dev/v1alpha1",
        "kind": "ScanJob",
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": UID,
            "generation": 1,
            "creationTimestamp": "2025-03-01T11:59:00Z",
            "annotations": {REQUESTED_BY: "alice"},
        },
        "spec": {
            "source": {"objectStore": {"uri": "s3://datasets/tickets/", **STORE}},
            "quarantine": {"objectStore": {"uri": "s3://quarantine/", **STORE}},
            "output": {"objectStore": {"uri": "s3://reports/scans", **STORE}},
            "signing": {"key": {"secretRef": {"name": "scan-signing", "key": "private.pem"}}},
        },
    }
    return merged(base, {"spec": spec})


def counts(documents: int, **more: int) -> Counts:
    """Counts documents, all clean but those that are said to be otherwise; each has 100 bytes."""
    others = sum(more.get(name, 0) for name in ("elevated", "quarantined", "failed"))
    return Counts(documents=documents, clean=documents - others, bytes=documents * 100, **more)


def a_plan(shards: int = 3, *, data: int = 30_000) -> PlanOutcome:
    return PlanOutcome(shards=shards, objects=12, bytes=data)


def a_report(total: Counts, **more: Any) -> ReportOutcome:
    """Gives the outcome of a report that is signed."""
    return ReportOutcome(
        **{
            "verdict": "Quarantined" if total.quarantined or total.failed else "Clean",
            "counts": total,
            "uri": "s3://reports/scans/team-a.tickets-5ca11ab1/report/report.json",
            "digest": f"sha256:{'a' * 64}",
            "dataset_digest": f"sha256:{'b' * 64}",
            "clean_digest": f"sha256:{'c' * 64}",
            "detector_digest": f"sha256:{'d' * 64}",
            "merkle_root": "e" * 64,
            "signature": "s3://reports/scans/team-a.tickets-5ca11ab1/report/statement.sigstore.json",
            "identity": f"sha256:{'f' * 64}",
            **more,
        }
    )


@dataclass
class ScanWorld:
    """One ScanJob, and everything that is made for it."""

    raw: Raw
    config: SentinelConfigSpec = field(default_factory=SentinelConfigSpec)
    config_maps: dict[str, Raw] = field(default_factory=dict)
    now: datetime = NOW
    objects: dict[Key, Raw] = field(default_factory=dict)
    pods: dict[str, Raw] = field(default_factory=dict)
    reports: dict[str, Progress] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    gone: bool = False
    count: int = 0
    reconciler: ScanJobReconciler = field(default_factory=ScanJobReconciler)

    # ------------------------------------------------------------------------------------------ the operator

    def observed(self) -> Observed:
        found = {ref: self.config_maps.get(ref.name) for ref in self.reconciler.references(self.raw)}
        children = tuple(self.objects[key] for key in sorted(self.objects))
        pods = tuple(self.pods[name] for name in sorted(self.pods))
        outside = Outside(reports=dict(self.reports))
        return self.reconciler.observe(self.raw, children, pods, found, self.config, self.now, outside)

    def plan(self) -> Plan:
        return self.reconciler.plan(self.observed())

    def refused(self, failure: Failure) -> Plan | None:
        return self.reconciler.on_error(self.observed(), failure)

    def restart(self) -> None:
        """The operator forgets what it has not written."""
        self.reconciler = ScanJobReconciler()
        self.reports = {}

    def pass_once(self) -> int:
        """Executes one plan; counts what changed."""
        plan = self.plan()
        writes = sum(self._apply(step) for step in plan.apply) + sum(self._delete(step) for step in plan.delete)
        if plan.status is not None and plan.status != self.raw.get("status"):
            self.raw = {**self.raw, "status": copy.deepcopy(plan.status)}
            writes += 1
        self.events.extend(plan.events)
        self.gone = self.gone or plan.expire
        return writes

    def settle(self, rounds: int = 50) -> None:
        for _ in range(rounds):
            if not self.pass_once() + self.jobs_act():
                return
        raise AssertionError("it never comes to rest")

    def edit(self, **spec: Any) -> None:
        raw = merged(self.raw, {"spec": spec})
        raw["metadata"]["generation"] += 1
        self.raw = raw

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def _apply(self, step: Apply) -> int:
        manifest = json.loads(json.dumps(step.manifest))
        key = (manifest["kind"], manifest["metadata"]["name"])
        live = self.objects.get(key)
        if live is None:
            assert "uid" not in manifest["metadata"], "a Job that is gone must not be made from its pace"
            self.count += 1
            metadata = {"uid": f"uid-{self.count}", "creationTimestamp": self.now.strftime("%Y-%m-%dT%H:%M:%SZ")}
            self.objects[key] = merged(manifest, {"metadata": metadata})
            return 1
        if live["kind"] == "Job":
            assert set(manifest["spec"]) <= {"suspend", "parallelism"}, "nothing else of a Job can be changed"
        changed = merged(live, manifest)
        self.objects[key] = changed
        return int(changed != live)

    def _delete(self, step: Delete) -> int:
        key = (step.ref.kind, step.ref.name)
        live = self.objects.get(key)
        if live is None or live["metadata"]["uid"] != step.ref.uid:
            return 0
        del self.objects[key]
        self.pods = {name: pod for name, pod in self.pods.items() if _job_of(pod) != step.ref.uid}
        return 1

    # ------------------------------------------------------------------------------------------ the Job controller

    def job(self, step: str) -> Raw:
        return self.objects["Job", f"{self.raw['metadata']['name']}-{step}"]

    def has(self, step: str) -> bool:
        return ("Job", f"{self.raw['metadata']['name']}-{step}") in self.objects

    def jobs_act(self) -> int:
        """Makes and removes pods as Jobs say; counts what it changed."""
        return sum(self._job_acts(job) for key, job in list(self.objects.items()) if key[0] == "Job")

    def _job_acts(self, job: Raw) -> int:
        status = job.setdefault("status", {})
        if any(each["type"] in {"Complete", "Failed"} for each in status.get("conditions", ())):
            return 0
        mine = {name: pod for name, pod in self.pods.items() if _job_of(pod) == job["metadata"]["uid"]}
        running = {name: pod for name, pod in mine.items() if pod["status"]["phase"] in {"Pending", "Running"}}
        changed = 0
        if job["spec"].get("suspend"):
            for name in running:
                del self.pods[name]
            status["active"], changed = 0, len(running)
            return changed
        over = {
            int(pod["metadata"]["annotations"][INDEX]) for pod in mine.values() if pod["status"]["phase"] == "Succeeded"
        }
        over |= {int(pod["metadata"]["annotations"][INDEX]) for pod in running.values()}
        over |= set(status.get("_failed", ()))
        for index in range(job["spec"].get("completions", 1)):
            if index not in over and len(running) + changed < job["spec"].get("parallelism", 1):
                self._make_pod(job, index)
                changed += 1
        status["active"] = len(running) + changed
        return changed

    def _make_pod(self, job: Raw, index: int) -> None:
        self.count += 1
        metadata, name = job["metadata"], f"{job['metadata']['name']}-{index}-{self.count}"
        self.pods[name] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "uid": f"uid-{self.count}",
                "namespace": metadata["namespace"],
                "labels": job["spec"]["template"]["metadata"]["labels"],
                "annotations": {INDEX: str(index)},
                "ownerReferences": [
                    {"kind": "Job", "name": metadata["name"], "uid": metadata["uid"], "controller": True}
                ],
            },
            "status": {
                "phase": "Running",
                "podIP": f"10.0.0.{index + 1}",
                "containerStatuses": [{"name": "scan", "ready": True, "state": {"running": {}}}],
            },
        }

    # ------------------------------------------------------------------------------------------ what pods do

    def running(self, step: str, index: int = 0) -> Raw:
        """Gives the pod that works on an index."""
        uid = self.job(step)["metadata"]["uid"]
        return next(
            pod
            for pod in self.pods.values()
            if _job_of(pod) == uid
            and pod["status"]["phase"] == "Running"
            and pod["metadata"]["annotations"][INDEX] == str(index)
        )

    def tell(self, index: int, of: Counts) -> None:
        """A running pod of a shard says how far it is."""
        pod = self.running("scan", index)
        self.reports[pod["metadata"]["uid"]] = Progress(step="shard", index=index, counts=of)

    def succeed(self, step: str, outcome: Model, index: int = 0) -> None:
        """A pod ends well; with the last one its Job is complete."""
        self._end(self.running(step, index), 0, outcome.model_dump_json(by_alias=True))
        job = self.job(step)
        status = job.setdefault("status", {})
        status["succeeded"] = status.get("succeeded", 0) + 1
        if status["succeeded"] == job["spec"].get("completions", 1):
            status.update(active=0, conditions=[{"type": "Complete", "status": "True"}])
        elif status["succeeded"] + len(status.get("_failed", ())) == job["spec"].get("completions", 1):
            status.update(active=0, conditions=[{"type": "Failed", "status": "True", "reason": "FailedIndexes"}])

    def fail(self, step: str, code: int, failure: ScanFailure | None = None, index: int = 0) -> None:
        """A pod ends otherwise; what its Job makes of that is another matter."""
        self._end(self.running(step, index), code, failure.model_dump_json(by_alias=True) if failure else "")

    def fail_job(self, step: str, reason: str = "PodFailurePolicy") -> None:
        self.job(step).setdefault("status", {}).update(
            active=0, conditions=[{"type": "Failed", "status": "True", "reason": reason}]
        )

    def fail_index(self, index: int) -> None:
        """The Job gives an index up."""
        status = self.job("scan").setdefault("status", {})
        status["_failed"] = sorted({*status.get("_failed", ()), index})
        status["failedIndexes"] = ",".join(map(str, status["_failed"]))

    @staticmethod
    def _end(pod: Raw, code: int, message: str) -> None:
        ended = {"exitCode": code, "message": message, "reason": "Completed" if code == 0 else "Error"}
        pod["status"] = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"name": "scan", "ready": False, "state": {"terminated": ended}}],
        }

    # ------------------------------------------------------------------------------------------ longer stretches

    def planned(self, shards: int = 3, *, data: int = 30_000) -> ScanWorld:
        self.settle()
        self.succeed("plan", a_plan(shards, data=data))
        self.settle()
        return self

    def scanned(self, shards: int = 3) -> ScanWorld:
        self.planned(shards)
        for index in range(shards):
            self.settle()
            self.succeed("scan", ShardOutcome(index=index, counts=counts(100)), index)
        self.settle()
        return self

    def finished(self, shards: int = 3, **more: Any) -> ScanWorld:
        self.scanned(shards)
        self.succeed("report", a_report(counts(100 * shards), **more))
        self.settle()
        return self

    # ------------------------------------------------------------------------------------------ what is told

    @property
    def status(self) -> Raw:
        found: Raw = self.raw.get("status") or {}
        return found

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    def condition(self, type_: str) -> Raw:
        return next(each for each in self.status["conditions"] if each["type"] == type_)

    @property
    def standing(self) -> tuple[str, str, str]:
        return tuple(self.condition(each)["status"] for each in ("Ready", "Reconciling", "Stalled"))  # type: ignore[return-value]

    @property
    def reasons(self) -> list[str]:
        return [event.reason for event in self.events]


def _job_of(pod: Raw) -> str:
    return str(pod["metadata"]["ownerReferences"][0]["uid"])


def refusal(kind: str, name: str, *, code: int, message: str = "no") -> Failure:
    """Gives what the API server says to a step."""
    ref = ObjectRef("batch/v1", kind, "team-a", name)
    return Failure(ref=ref, code=code, reason="", message=message, terminal=code in {403, 422})
