"""Whether an object is kept by a program that follows Git: what a person changes beside Git is undone by it."""

from __future__ import annotations

from sentinel_operator.core.plan import Manifest

_ANNOTATIONS = {"argocd.argoproj.io/tracking-id": "Argo CD"}
_LABELS = {
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
_MANAGERS = {"argocd-controller": "Argo CD", "kustomize-controller": "Flux", "helm-controller": "Flux"}


def followed_by(raw: Manifest) -> str:
    """Says what keeps the object as Git has it, such as `Argo CD (annotation …)`; empty where nothing does."""
    metadata = raw["metadata"]
    for place, known in (("annotation", _ANNOTATIONS), ("label", _LABELS)):
        for key in metadata.get(f"{place}s") or {}:
            if key in known:
                return f"{known[key]} ({place} {key})"
    for entry in metadata.get("managedFields") or ():
        if entry.get("manager") in _MANAGERS and not entry.get("subresource"):
            return f"{_MANAGERS[entry['manager']]} (field manager {entry['manager']})"
    return ""
