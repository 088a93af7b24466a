"""The bare baseline: a client that judges nothing and writes what cannot be left out. The plan, what it is about to do,
the change, and that it is done."""

from __future__ import annotations

import time

from benchmarks.plans.stage import PLANS, WORKLOADS, each, name_of, plan
from sentinel_operator.core.actionplan.verbs.restart import ANNOTATION
from sentinel_operator.core.plan import ACTION_MANAGER, ObjectRef
from sentinel_operator.engine.kube import KubeApi

WRITES = 4


async def carry_out(api: KubeApi, *, namespace: str, targets: int, count: int) -> float:
    """Carries out so many plans as fast as the API server takes them; gives the seconds."""
    started = time.perf_counter()

    async def one(index: int) -> None:
        raw = plan(index, namespace=namespace, target=index % targets)
        made = await api.create(PLANS, raw)
        live = await api.get(WORKLOADS, namespace, name_of(index % targets))
        await api.apply_status(PLANS, _said(made, "Executing"))
        ref = ObjectRef.of({**live, "apiVersion": WORKLOADS.api_version, "kind": WORKLOADS.kind}, pinned=True)
        annotations = {ANNOTATION: f"2026-01-30T12:00:00.{index:06d}Z"}
        body = {"metadata": {"uid": ref.uid}, "spec": {"template": {"metadata": {"annotations": annotations}}}}
        await api.patch(WORKLOADS, ref, body, field_manager=ACTION_MANAGER)
        await api.apply_status(PLANS, _said(made, "Completed"))

    await each(count, one)
    return time.perf_counter() - started


def _said(made: dict, state: str) -> dict:
    metadata = {"name": made["metadata"]["name"], "namespace": made["metadata"]["namespace"]}
    status = {"state": state, "message": "as the bare client says", "observedGeneration": 1}
    return {"apiVersion": PLANS.api_version, "kind": PLANS.kind, "metadata": metadata, "status": status}
