"""The validating webhook: kopf's reviews answered by pure functions, at paths that a static configuration can name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import kopf

from sentinel_operator.api.kinds import Kind
from sentinel_operator.core.admission.verdict import Requester, Review, Validator

_REFUSED = 422


def path_of(kind: Kind) -> str:
    """Gives the path at which objects of a kind are validated; manifests name it."""
    return f"/{_handler_id(kind)}"


def register(registry: kopf.OperatorRegistry, kinds: Iterable[Kind], validators: Mapping[str, Validator]) -> None:
    """Validates every kind that has a validator. Nothing is mutated: defaults are the schema's matter."""
    for kind in kinds:
        if kind.kind in validators:
            _validate(registry, kind, validators[kind.kind])


def _validate(registry: kopf.OperatorRegistry, kind: Kind, validator: Validator) -> None:
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
        new, old = passed["new"], passed["old"]
        if new["metadata"].get("deletionTimestamp"):
            return  # finalizers must come off whatever the spec says
        requester = Requester(
            username=userinfo.get("username", ""),
            uid=userinfo.get("uid", ""),
            groups=tuple(userinfo.get("groups") or ()),
        )
        before = None if old is None else dict(old)
        verdict = validator(Review(kind=kind.kind, new=dict(new), old=before, requester=requester))
        warnings.extend(verdict.warnings)
        if verdict.errors:
            raise kopf.AdmissionError(verdict.message, code=_REFUSED)


def _handler_id(kind: Kind) -> str:
    return f"validate-{kind.plural}"
