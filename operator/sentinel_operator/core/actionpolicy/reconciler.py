"""The ActionPolicy controller: hands the API server what it can hold to by itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sentinel_operator.api.kinds import ACTION_POLICY, Kind
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.actionpolicy.status import (
    Observed,
    as_manifest,
    desired_status,
    events,
    observe_status,
)
from sentinel_operator.core.names import Owner
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.plan import Apply, Delete, Failure, Manifest, ObjectRef, Plan
from sentinel_operator.core.policy.compiled import API, compiled
from sentinel_operator.core.policy.policy import Policy
from sentinel_operator.core.reconciler import ChildKind


class ActionPolicyReconciler:
    """Keeps ValidatingAdmissionPolicies equal to what the policies say."""

    @property
    def kind(self) -> Kind:
        """The kind that this reconciler is for."""
        return ACTION_POLICY

    @property
    def children(self) -> tuple[ChildKind, ...]:
        """Everything it may create, watch or read as a child."""
        return (
            ChildKind(API, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False),
            ChildKind(API, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False),
        )

    def references(self, raw: Manifest) -> tuple[ObjectRef, ...]:  # noqa: ARG002 - the Protocol's
        """Names what has to be read before the pass: nothing; the other policies are in `outside.plan`."""
        return ()

    def observe(
        self,
        raw: Manifest,
        children: tuple[Manifest, ...],
        pods: tuple[Manifest, ...],  # noqa: ARG002 - the Protocol's
        references: Mapping[ObjectRef, Manifest | None],  # noqa: ARG002
        config: SentinelConfigSpec,  # noqa: ARG002
        now: datetime,
        outside: Outside = NOTHING,
    ) -> Observed:
        """Freezes what is known into one value."""
        metadata, policy = raw["metadata"], Policy.of(raw)
        others = outside.plan.policies if outside.plan is not None else ()
        owner = Owner(ACTION_POLICY.api_version, ACTION_POLICY.kind, "", metadata["name"], metadata["uid"])
        return Observed(
            generation=int(metadata.get("generation") or 0),
            deleting=bool(metadata.get("deletionTimestamp")),
            owner={"labels": owner.labels("policy"), "reference": owner.reference()},
            policy=policy,
            policies=(policy, *(each for each in others if each.name != policy.name)),
            children=tuple(each for each in children if owner.owns(each)),
            status=observe_status(raw),
            now=now,
        )

    def plan(self, observed: Observed) -> Plan:
        """Decides what the API server should hold to; what it should not any more goes. A policy that cannot be read
        leaves what was compiled from it, for that is what its author last said."""
        if observed.deleting:
            return Plan()
        made = compiled(observed.policy, observed.policies)
        wanted = [_owned(each, observed.owner) for each in made.manifests]
        names = {(each["kind"], each["metadata"]["name"]) for each in wanted}
        status = desired_status(observed, made)
        gone = [each for each in observed.children if (each["kind"], each["metadata"]["name"]) not in names]
        return Plan(
            apply=tuple(Apply(each) for each in wanted),
            delete=tuple(Delete(ObjectRef.of(each, pinned=True)) for each in gone if observed.policy.spec is not None),
            status=as_manifest(status),
            events=events(observed.status, status),
        )

    def on_error(self, observed: Observed, error: Failure) -> Plan | None:
        """Says that the API server does not hold to it; our own judge does all the same."""
        if not error.terminal or observed.deleting:
            return None
        made = compiled(observed.policy, observed.policies)
        status = desired_status(observed, made, refused=error.message)
        return Plan(status=as_manifest(status), events=events(observed.status, status))


def _owned(manifest: Manifest, owner: Manifest) -> Manifest:
    metadata = manifest["metadata"]
    labels = {**owner["labels"], **metadata["labels"]}
    return {**manifest, "metadata": {**metadata, "labels": labels, "ownerReferences": [owner["reference"]]}}
