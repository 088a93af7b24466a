"""The webhooks: kopf's reviews answered by pure functions, at paths that a static configuration can name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import kopf

from sentinel_operator.api.kinds import Kind
from sentinel_operator.core.admission.requested import forged
from sentinel_operator.core.admission.stamping import annotations_of, stamped
from sentinel_operator.core.admission.verdict import Requester, Review, Validator, Verdict
from sentinel_operator.hooks.approval import Authorizer, unapproved

_REFUSED = 422


def path_of(kind: Kind) -> str:
    """Gives the path at which objects of a kind are validated; manifests name it."""
    return f"/{_handler_id(kind)}"


def stamping_path_of(kind: Kind) -> str:
    """Gives the path at which it is written on objects of a kind who made them; manifests name it."""
    return f"/{_stamping_id(kind)}"


def paths(kinds: Iterable[Kind], validators: Mapping[str, Validator]) -> list[str]:
    """Gives every path that is served."""
    listed = list(kinds)
    validated = [path_of(kind) for kind in listed if kind.kind in validators]
    return validated + [stamping_path_of(kind) for kind in listed if annotations_of(kind)]


def register(
    registry: kopf.OperatorRegistry,
    kinds: Iterable[Kind],
    validators: Mapping[str, Validator],
    *,
    authorizer: Authorizer,
) -> None:
    """Validates every kind that has a validator, and remembers who created and who approved what. Nothing else is
    mutated: defaults are the schema's matter."""
    for kind in kinds:
        if kind.kind in validators:
            _validate(registry, kind, validators[kind.kind], authorizer)
        if annotations_of(kind):
            _stamp(registry, kind)


def _validate(registry: kopf.OperatorRegistry, kind: Kind, validator: Validator, authorizer: Authorizer) -> None:
    @kopf.on.validate(
        kind.group,
        kind.version,
        kind.plural,
        id=_handler_id(kind),
        operations=["CREATE", "UPDATE"],
        side_effects=False,
        registry=registry,
    )
    async def validate(userinfo: Mapping[str, Any], warnings: list[str], **passed: Any) -> None:
        if passed["new"]["metadata"].get("deletionTimestamp"):
            return  # finalizers must come off whatever the spec says
        review = _review(kind, userinfo, passed)
        verdict = validator(review)
        warnings.extend(verdict.warnings)
        foreign = forged(review) if kind.remembers_requester else ()
        errors = (*foreign, *verdict.errors, *await unapproved(kind, review, userinfo, authorizer))
        if errors:
            raise kopf.AdmissionError(Verdict(errors=errors).message, code=_REFUSED)


def _stamp(registry: kopf.OperatorRegistry, kind: Kind) -> None:
    @kopf.on.mutate(
        kind.group,
        kind.version,
        kind.plural,
        id=_stamping_id(kind),
        operations=["CREATE", "UPDATE"],
        side_effects=False,
        registry=registry,
    )
    async def stamp(userinfo: Mapping[str, Any], patch: kopf.Patch, **passed: Any) -> None:
        for name, value in stamped(kind, _review(kind, userinfo, passed), datetime.now(UTC)).items():
            patch.metadata.annotations[name] = value


def _review(kind: Kind, userinfo: Mapping[str, Any], passed: Mapping[str, Any]) -> Review:
    new, old = passed["new"], passed["old"]
    requester = Requester(
        username=userinfo.get("username", ""),
        uid=userinfo.get("uid", ""),
        groups=tuple(userinfo.get("groups") or ()),
    )
    before = None if old is None else dict(old)
    return Review(kind=kind.kind, new=dict(new), old=before, requester=requester)


def _handler_id(kind: Kind) -> str:
    return f"validate-{kind.plural}"


def _stamping_id(kind: Kind) -> str:
    return f"stamp-{kind.plural}"
