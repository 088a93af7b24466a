"""What a person can do about a reason; the sentences follow "To do:"."""

from __future__ import annotations

from collections.abc import Mapping

NOTHING = "Nothing to do."
BY_ITSELF = "Nothing to do: it goes on by itself."

ADVICE: Mapping[str, str] = {
    "InvalidSpec": "correct the field that is named.",
    "ReferenceNotFound": "create what is missing; it is picked up by itself.",
    "NameConflict": "remove or rename what bears the labels of this model.",
    "ProgressDeadlineExceeded": "see below what its pods say; declare a version that works, or the former one again.",
    "Suspended": "set spec.suspend to false to go on.",
    "ScaledToZero": "raise spec.replicas to serve.",
    # what a delivery says
    "Paused": "look at it, then: kubectl sentinel promote, abort, or (if spec.rollout.paused is set) resume.",
    "RevisionRejected": "declare another version; to deliver this one again: kubectl sentinel retry.",
    "RevisionAborted": "declare another version; to deliver this one again: kubectl sentinel retry.",
    "AnalysisInconclusive": "look at the figures, then: kubectl sentinel promote or abort.",
    "AnalysisError": "see why nothing could be measured; to go on without it: kubectl sentinel promote, else abort.",
    "WaitingForBudget": "wait for its turn, or let it go before others: spec.rollout.priority.",
    "GateClosed": "open the gate; to go on without it: kubectl sentinel promote, else abort.",
    "RevisionNotFound": "name a revision that the history has, or take it back: kubectl sentinel undo.",
    "HotSwapImpossible": "set another spec.rollout.strategy.",
    # what fetch says
    "DigestMismatch": "find out who changed what lies in storage, or declare the digest of what you mean "
    "(kubectl sentinel digest PATH).",
    "SignatureInvalid": "sign the artifact by an authority that spec.model.verify names, or correct spec.model.verify.",
    "ScanMissing": "wait for the scan that spec.model.requireScan names, or correct where its report lies; it is "
    "looked for again by itself.",
    "ScanInvalid": "see what spec.model.requireScan asks of the report: whose signature, which dataset, which verdict.",
    "AccessDenied": "let the credentials of spec.model.source read the artifact.",
    "NotFound": "correct spec.model.source, or put the artifact there.",
    "StorageUnreachable": "check the endpoint in spec.model.source, and the network; it is tried again by itself.",
    "ArtifactTooLarge": "raise spec.model.maxBytes, or publish a smaller artifact.",
    "InvalidConfig": "use images of the operator's own release: what they read does not fit what it writes.",
    "NoSpace": "give the nodes more disk, or the pods a larger ephemeral-storage limit in spec.pod.resources.",
    # what the server says
    "SchemaMismatch": "make spec.schema say what the model's inputs and outputs are.",
    "ModelUnreadable": "publish a valid ONNX model.",
    # what Kubernetes says
    "ImagePullBackOff": "correct the image's name, or let the nodes pull it (spec.pod.imagePullSecrets).",
    "InvalidImageName": "correct the image's name.",
    "OOMKilled": "raise spec.pod.resources.limits.memory.",
    "CrashLoopBackOff": "read what the container wrote: kubectl logs --previous.",
    "Unschedulable": "make room, or relax spec.pod (resources, nodeSelector, tolerations, affinity).",
    "FailedCreate": "a quota or an admission policy refuses the pods: raise it, or change spec.pod.",
    "PodNotStarted": "look at the node: kubectl describe pod.",
    # what this command finds itself
    "NotObserved": "wait a moment; if it stays, look whether the operator runs: kubectl -n sentinel-system get pods.",
    "Terminating": "wait; if it stays, look what holds it: kubectl get -o yaml shows finalizers.",
}


def advice(reason: str, *, ready: bool, stalled: bool, own: Mapping[str, str] | None = None) -> str:
    """Gives the sentence for a reason, the kind's `own` one first; an unknown one (of a newer operator) gets one that
    is still true."""
    found = (own or {}).get(reason) or ADVICE.get(reason)
    if found is not None:
        return f"To do: {found}"
    if ready:
        return NOTHING
    return "To do: see the message; it is not tried again until the spec changes." if stalled else BY_ITSELF
