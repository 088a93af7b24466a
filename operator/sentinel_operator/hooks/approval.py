"""Who may approve: asked of the API server's own authorizer, for whoever it has authenticated."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from sentinel_operator.api.kinds import Kind
from sentinel_operator.core.admission.actionplan import asks_for_approval
from sentinel_operator.core.admission.verdict import FieldError, Review
from sentinel_operator.engine.errors import ApiError

logger = logging.getLogger(__name__)

_FIELD = "spec.approval"
_TIMEOUT = 4.0


class Authorizer(Protocol):
    """What is needed of the API client."""

    async def subject_access_review(self, spec: Mapping[str, Any], /) -> bool:
        """Tells whether a user may do something."""


async def unapproved(
    kind: Kind, review: Review, userinfo: Mapping[str, Any], authorizer: Authorizer
) -> tuple[FieldError, ...]:
    """Gives an error unless whoever asks may say what the request says about approval. What cannot be found out is
    not allowed."""
    if not kind.approvable or not asks_for_approval(review):
        return ()
    metadata, who = review.new.get("metadata") or {}, review.requester
    try:
        async with asyncio.timeout(_TIMEOUT):
            allowed = await authorizer.subject_access_review(
                {
                    "user": who.username,
                    "uid": who.uid,
                    "groups": list(who.groups),
                    "extra": dict(userinfo.get("extra") or {}),
                    "resourceAttributes": {
                        "group": kind.group,
                        "version": kind.version,
                        "resource": kind.plural,
                        "verb": "approve",
                        "namespace": metadata.get("namespace") or "",
                        "name": metadata.get("name") or "",
                    },
                }
            )
    except (ApiError, TimeoutError) as error:
        logger.warning("whether %s may approve is not known: %s", who.username, error)
        return (FieldError(_FIELD, f"it could not be found out whether {who.username} may approve; try again"),)
    if allowed:
        return ()
    where = f"namespace {metadata.get('namespace')}"
    return (FieldError(_FIELD, f"{who.username} may not approve {kind.plural} in {where}"),)
