"""What the pods say of the artifact that they serve."""

from __future__ import annotations

from sentinel_operator.api.sentrymodel import VerificationStatus
from sentinel_operator.api.serving import ExitCode, Verification
from sentinel_operator.core.conditions import Finding, rfc3339
from sentinel_operator.core.sentrymodel.assess import Assessment, record_of
from sentinel_operator.core.sentrymodel.observe import Observed, PodView
from sentinel_operator.core.sentrymodel.swapping import swap_reports

MODEL_VERIFIED = "ModelVerified"
ARTIFACT_FROM_CACHE = "ArtifactFromCache"
_BAD = frozenset({"Failed", "Rejected"})
_DISPROOFS = frozenset({ExitCode.DigestMismatch.name, ExitCode.SignatureInvalid.name, ExitCode.ScanInvalid.name})


def verified(observed: Observed, assessment: Assessment, revision: str) -> Verification | None:
    """Gives what the pods of a revision verified. Where they differ only in the time, the same one is given each time,
    so that a new pod changes nothing."""
    host = assessment.host_of(revision)
    if host != revision:
        return _swapped_in(observed, host, revision)
    found = [(pod.verification, pod.name) for pod in _tellers(observed, revision)]
    ordered = sorted((each.at, name, each) for each, name in found if each is not None)
    known = observed.status.verification if observed.status is not None else None
    for _, _, each in ordered:
        if known is not None and (each.digest, each.authority, each.identity) == _identity(known):
            return each.model_copy(update={"at": known.at})
    return ordered[0][2] if ordered else None


def _swapped_in(observed: Observed, host: str, revision: str) -> Verification | None:
    """Pods that were made for another revision say while they swap what they verified of this one."""
    for report in swap_reports(observed, host):
        held = report.held.get(revision)
        if held is not None and held.state == "Ready" and held.digest:
            return Verification(
                digest=held.digest, authority=held.authority, identity=held.identity, at=rfc3339(observed.now)
            )
    return None


def verification_status(observed: Observed, assessment: Assessment) -> VerificationStatus | None:
    """Gives the verification of what serves; the last known one while the same revision has no pods."""
    found = verified(observed, assessment, assessment.stable)
    if found is not None:
        return VerificationStatus(digest=found.digest, authority=found.authority, identity=found.identity, at=found.at)
    status = observed.status
    unchanged = status is not None and status.stable is not None and status.stable.revision == assessment.stable
    return status.verification if status is not None and unchanged else None


def verification_findings(observed: Observed, assessment: Assessment) -> tuple[Finding, ...]:
    """Gives the conditions ModelVerified and, where there is a cache, ArtifactFromCache."""
    return (_model_verified(observed, assessment), *_from_cache(observed, assessment))


def _model_verified(observed: Observed, assessment: Assessment) -> Finding:
    disproof, model = _disproof(observed, assessment), assessment.spec.model
    if disproof is not None:
        return Finding(MODEL_VERIFIED, "False", *disproof)
    if model.digest is None and model.verify is None:
        return Finding(
            MODEL_VERIFIED, "Unknown", "NotRequested", "neither spec.model.digest nor spec.model.verify is set"
        )
    told = verified(observed, assessment, assessment.stable or (assessment.target.id if assessment.target else ""))
    if told is None:
        return _remembered(observed, assessment)
    if told.warning:
        return Finding(MODEL_VERIFIED, "False", ExitCode.SignatureInvalid.name, f"spec.model.verify: {told.warning}")
    if not told.authority:
        return Finding(MODEL_VERIFIED, "True", "DigestVerified", f"{told.digest}; no signature is asked for")
    return Finding(MODEL_VERIFIED, "True", "Verified", f"{told.digest}, signed by {told.authority} ({told.identity})")


def _disproof(observed: Observed, assessment: Assessment) -> tuple[str, str] | None:
    """Gives reason and message, where what the spec asks for is not what it should be."""
    if assessment.fault is not None and assessment.fault.terminal and assessment.fault.reason in _DISPROOFS:
        return assessment.fault.reason, assessment.fault.message
    target = assessment.target
    records = {each.revision: each for each in assessment.decision.records}
    found = records.get(target.id) if target is not None else None
    known = found or (record_of(observed, target.id) if target is not None else None)
    if known is None or target is None or target.id == assessment.stable:
        return None
    return (known.reason, known.message) if known.verdict in _BAD and known.reason in _DISPROOFS else None


def _remembered(observed: Observed, assessment: Assessment) -> Finding:
    status = observed.status
    if status is not None and status.stable is not None and status.stable.revision == assessment.stable:
        for condition in status.conditions or ():
            if condition.type == MODEL_VERIFIED:
                return Finding(MODEL_VERIFIED, condition.status, condition.reason, condition.message)
    return Finding(MODEL_VERIFIED, "Unknown", "Pending", "no pod has brought the artifact yet")


def _from_cache(observed: Observed, assessment: Assessment) -> tuple[Finding, ...]:
    cache = assessment.spec.model.cache
    if cache is None or cache.type == "None":
        return ()
    if any(pod.verification and pod.verification.from_cache for pod in _tellers(observed, assessment.stable)):
        message = "storage could not be reached; pods started from a cached copy, whose digest and signature held"
        return (Finding(ARTIFACT_FROM_CACHE, "True", ExitCode.StorageUnreachable.name, message),)
    return (Finding(ARTIFACT_FROM_CACHE, "False", "FromSource"),)


def _tellers(observed: Observed, revision: str) -> tuple[PodView, ...]:
    return tuple(pod for pod in observed.pods.get(revision, ()) if pod.verification is not None)


def _identity(known: VerificationStatus) -> tuple[str, str, str]:
    return known.digest, known.authority, known.identity
