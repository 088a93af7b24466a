"""What running pods are told: the ConfigMap that those of one Deployment watch, and their right to do so."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from sentinel_operator.api.active import ACTIVE_FILE, ActiveConfig, ParityLimits, RevisionConfig, Shadow
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.api.serving import FETCH_FILE, HTTP_PORT, SERVING_FILE, FetchConfig, ServingConfig
from sentinel_operator.core.hashing import canonical_json
from sentinel_operator.core.names import Owner, revision_name
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.rollout.decision import Mirror, SwapWanted
from sentinel_operator.core.sentrymodel.assess import Assessment
from sentinel_operator.core.sentrymodel.config import JWKS_FILE, TLS_DIR
from sentinel_operator.core.sentrymodel.network import PREVIEW_SUFFIX, is_secure
from sentinel_operator.core.sentrymodel.observe import Observed, live_active
from sentinel_operator.core.sentrymodel.revision import active_name, is_followed

COMPONENT = "active"
_REPLAYING = frozenset({"HotSwap", "Auto"})
_FEWEST_INPUTS = 20


def desired_active(observed: Observed, assessment: Assessment) -> Iterator[Manifest]:
    """Gives the ConfigMaps of all Deployments whose pods watch one.

    Those that serve stable are told what the delivery wants. Others are told to serve their own revision, which they do
    without a ConfigMap too: only one that is there is kept up to date.
    """
    base = assessment.decision.state.base
    for revision in sorted(_followers(observed, assessment)):
        before = live_active(observed, revision)
        if revision == base:
            wanted = _of_base(observed, assessment, base)
        elif before is not None:
            wanted = _config(observed, assessment, SwapWanted(host=revision, active=revision), kept=())
        else:
            continue
        if wanted is not None:
            yield _config_map(observed.owner, assessment.spec, revision, _numbered(wanted, before))


def desired_rights(observed: Observed, assessment: Assessment) -> tuple[Manifest, ...]:
    """Gives the Role that lets the pods watch those ConfigMaps and nothing else, and its binding."""
    followers = sorted(_followers(observed, assessment))
    if not followers:
        return ()
    owner, spec = observed.owner, assessment.spec
    metadata = {
        "name": owner.name,
        "namespace": owner.namespace,
        "labels": owner.labels(COMPONENT, extra=spec.labels),
        "ownerReferences": [owner.reference()],
    }
    names = [active_name(owner.name, revision) for revision in followers]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": names, "verbs": ["list", "watch"]}],
    }
    account = spec.pod.service_account_name or owner.name
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": owner.name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": owner.namespace}],
    }
    return role, binding


def _followers(observed: Observed, assessment: Assessment) -> set[str]:
    """Names the Deployments whose pods follow, or will when they have been made."""
    found = {view.revision for view in observed.deployments.values() if view.follows}
    target = assessment.target
    return found | {target.id} if target is not None and is_followed(assessment.spec) else found


def _of_base(observed: Observed, assessment: Assessment, base: str) -> ActiveConfig | None:
    decision = assessment.decision
    swap = decision.swap or SwapWanted(host=base, active=assessment.stable or base)
    kept = (assessment.stable,) if decision.state.candidate else ()
    return _config(observed, assessment, swap, kept=kept, mirror=decision.mirror)


def _config(
    observed: Observed,
    assessment: Assessment,
    swap: SwapWanted,
    *,
    kept: tuple[str, ...],
    mirror: Mirror | None = None,
) -> ActiveConfig | None:
    """Gives what the pods should do; None while what a revision was made of is not known."""
    named = tuple(dict.fromkeys(each for each in (swap.active, swap.candidate, *kept) if each))
    revisions = [_revision(observed, assessment, each) for each in named]
    if any(each is None for each in revisions):
        return None
    rollout = assessment.spec.rollout
    replay = rollout.hot_swap.replay if rollout.strategy in _REPLAYING else swap.replay
    limits = ParityLimits(
        min_inputs=max(1, min(_FEWEST_INPUTS, replay)),
        min_label_agreement=rollout.hot_swap.min_label_agreement,
        max_score_difference=rollout.hot_swap.max_score_difference,
    )
    return ActiveConfig(
        serial=0,
        active=swap.active,
        candidate=swap.candidate if swap.candidate not in {"", swap.active} else None,
        revisions=tuple(each for each in revisions if each is not None),
        replay=replay,
        parity=limits if replay and swap.candidate else None,
        shadow=_shadow(observed, assessment.spec, mirror) if mirror is not None else None,
    )


def _revision(observed: Observed, assessment: Assessment, revision: str) -> RevisionConfig | None:
    """Takes a revision's configuration from its own ConfigMap: for one that is past the spec says it no longer."""
    target, name = assessment.target, revision_name(observed.owner.name, revision)
    live = [child for child in observed.children if child["kind"] == "ConfigMap" and child["metadata"]["name"] == name]
    if target is not None and target.id == revision:
        live = [target.config_map]
    data = (live[0].get("data") or {}) if live else {}
    try:
        return RevisionConfig(
            fetch=FetchConfig.model_validate_json(data.get(FETCH_FILE, "")),
            serving=ServingConfig.model_validate_json(data.get(SERVING_FILE, "")),
            trust={key: text for key, text in data.items() if key not in {FETCH_FILE, SERVING_FILE, JWKS_FILE}},
        )
    except ValidationError:
        return None


def _shadow(observed: Observed, spec: SentryModelSpec, mirror: Mirror) -> Shadow:
    name, namespace, secure = observed.owner.name, observed.owner.namespace, is_secure(spec)
    scheme = "https" if secure else "http"
    return Shadow(
        revision=mirror.revision,
        percent=mirror.percent,
        urls=(f"{scheme}://{name}{PREVIEW_SUFFIX}.{namespace}.svc:{HTTP_PORT}",),
        ca_file=f"{TLS_DIR}/ca.crt" if secure else "",
        server_name=f"{name}.{namespace}.svc" if secure else "",
    )


def _numbered(wanted: ActiveConfig, before: ActiveConfig | None) -> ActiveConfig:
    """Counts up where something changes; a repeated instruction keeps its number."""
    if before is None:
        return wanted.model_copy(update={"serial": 1})
    same = before.model_copy(update={"serial": 0}) == wanted
    return wanted.model_copy(update={"serial": before.serial if same else before.serial + 1})


def _config_map(owner: Owner, spec: SentryModelSpec, revision: str, config: ActiveConfig) -> Manifest:
    text = canonical_json(config.model_dump(mode="json", by_alias=True)).decode()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": active_name(owner.name, revision),
            "namespace": owner.namespace,
            "labels": owner.labels(COMPONENT, revision=revision, extra=spec.labels),
            "ownerReferences": [owner.reference()],
        },
        "data": {ACTIVE_FILE: text},
    }
