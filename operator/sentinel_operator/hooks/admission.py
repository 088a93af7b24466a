"""The webhooks: each review answered by pure functions, at a path that a static configuration can name."""

from __future__ import annotations

import base64
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from sentinel_operator.api.kinds import Kind
from sentinel_operator.core.admission.requested import forged
from sentinel_operator.core.admission.stamping import annotations_of, stamped
from sentinel_operator.core.admission.verdict import Requester, Review, Validator, Verdict
from sentinel_operator.core.plan import Manifest
from sentinel_operator.hooks.approval import Authorizer, unapproved

logger = logging.getLogger(__name__)

_REFUSED, _BROKEN = 422, 500

Answer = Callable[[Manifest], Awaitable[Manifest]]
"""Takes an AdmissionReview's request and gives its response. Raises KeyError for what is none."""
_ASKED = frozenset({"uid", "object", "userInfo"})


def path_of(kind: Kind) -> str:
    """Gives the path at which objects of a kind are validated; manifests name it."""
    return f"/validate-{kind.plural}"


def stamping_path_of(kind: Kind) -> str:
    """Gives the path at which it is written on objects of a kind who made them; manifests name it."""
    return f"/stamp-{kind.plural}"


def answers(kinds: Iterable[Kind], validators: Mapping[str, Validator], *, authorizer: Authorizer) -> dict[str, Answer]:
    """Gives who answers at each path. Every kind that has a validator is validated, and it is remembered who created
    and who approved what; nothing else is mutated: defaults are the schema's matter."""
    found: dict[str, Answer] = {}
    for kind in kinds:
        if kind.kind in validators:
            found[path_of(kind)] = _reliably(_validating(kind, validators[kind.kind], authorizer))
        if annotations_of(kind):
            found[stamping_path_of(kind)] = _reliably(_stamping(kind))
    return found


def _validating(kind: Kind, validator: Validator, authorizer: Authorizer) -> Answer:
    async def validate(request: Manifest) -> Manifest:
        if request["object"]["metadata"].get("deletionTimestamp"):
            return _allowed(request)  # finalizers must come off whatever the spec says
        review = _review(kind, request)
        verdict = validator(review)
        foreign = forged(review) if kind.remembers_requester else ()
        errors = (*foreign, *verdict.errors, *await unapproved(kind, review, request["userInfo"], authorizer))
        told = {"warnings": list(verdict.warnings)} if verdict.warnings else {}
        if errors:
            return {**_refused(request, Verdict(errors=errors).message, code=_REFUSED), **told}
        return {**_allowed(request), **told}

    return validate


def _stamping(kind: Kind) -> Answer:
    async def stamp(request: Manifest) -> Manifest:
        wanted = stamped(kind, _review(kind, request), datetime.now(UTC))
        operations = list(_annotated(request["object"], wanted))
        if not operations:
            return _allowed(request)
        patch = base64.b64encode(orjson.dumps(operations)).decode("ascii")
        return {**_allowed(request), "patch": patch, "patchType": "JSONPatch"}

    return stamp


def _reliably(answer: Answer) -> Answer:
    """A fault of ours refuses the request, and says so."""

    async def answered(request: Manifest) -> Manifest:
        if not request.keys() >= _ASKED:
            raise KeyError(*(_ASKED - request.keys()))
        try:
            return await answer(request)
        except Exception as error:
            logger.exception("a review failed unexpectedly")
            return _refused(request, f"the operator cannot judge this: {type(error).__name__}", code=_BROKEN)

    return answered


def _annotated(raw: Manifest, wanted: Mapping[str, str | None]) -> Iterator[dict[str, Any]]:
    """Yields the JSON patch (RFC 6902) by which an object has these annotations; None takes one away."""
    found = raw["metadata"].get("annotations")
    if found is None:
        given = {name: value for name, value in wanted.items() if value is not None}
        if given:
            yield {"op": "add", "path": "/metadata/annotations", "value": given}
        return
    for name, value in wanted.items():
        path = "/metadata/annotations/" + name.replace("~", "~0").replace("/", "~1")
        if value is None and name in found:
            yield {"op": "remove", "path": path}
        elif value is not None and found.get(name) != value:
            yield {"op": "add", "path": path, "value": value}


def _review(kind: Kind, request: Manifest) -> Review:
    who = request["userInfo"]
    requester = Requester(
        username=who.get("username", ""), uid=who.get("uid", ""), groups=tuple(who.get("groups") or ())
    )
    return Review(kind=kind.kind, new=request["object"], old=request.get("oldObject"), requester=requester)


def _allowed(request: Manifest) -> Manifest:
    return {"uid": request["uid"], "allowed": True}


def _refused(request: Manifest, message: str, *, code: int) -> Manifest:
    return {"uid": request["uid"], "allowed": False, "status": {"message": message, "code": code}}
