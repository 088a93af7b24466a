"""What keeps the pods of a revision from being ready."""

from __future__ import annotations

from datetime import timedelta

from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.sentrymodel.faults import REFERENCE_NOT_FOUND, Fault
from sentinel_operator.core.sentrymodel.observe import Observed
from sentinel_operator.core.sentrymodel.references import claims, secrets

MOUNT_SECONDS = 30.0
"""Volumes take seconds; a pod that waits for longer lacks something."""


def worst_fault(observed: Observed, spec: SentryModelSpec, revision: str) -> Fault | None:
    """Gives the fault that a person has to see first; which pod shows it does not matter."""
    pods = observed.pods.get(revision, ())
    faults = [pod.fault for pod in pods if pod.fault is not None]
    if faults:
        return min(faults, key=lambda fault: fault.rank)
    found = observed.deployments.get(revision)
    if found is not None and found.fault is not None:
        return found.fault
    limit = observed.now - timedelta(seconds=MOUNT_SECONDS)
    if any(pod.mounting_since is not None and pod.mounting_since <= limit for pod in pods):
        return _unmounted(spec)
    return None


def mounted_by(observed: Observed, revision: str) -> float | None:
    """Gives the seconds until a pod that waits for its volumes has waited too long; None when none does."""
    pods = observed.pods.get(revision, ())
    moments = [pod.mounting_since + timedelta(seconds=MOUNT_SECONDS) for pod in pods if pod.mounting_since is not None]
    return min(((each - observed.now).total_seconds() for each in moments if each > observed.now), default=None)


def _unmounted(spec: SentryModelSpec) -> Fault:
    mounted = [mention for mention in secrets(spec) if not mention.field.endswith("credentialsSecretRef")]
    asked = [f"{each.field} (Secret {each.name}{f', key {each.key}' if each.key else ''})" for each in mounted]
    asked += [f"{each.field} (claim {each.name})" for each in claims(spec)]
    if not asked:
        return Fault("PodNotStarted", "pods have a node, but no volumes or no network there")
    return Fault(REFERENCE_NOT_FOUND, f"pods wait for their volumes; look whether these exist: {', '.join(asked)}")
