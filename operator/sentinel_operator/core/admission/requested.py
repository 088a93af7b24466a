"""Who created an object, as the API server verified it: written on it at its creation, and nobody's to change.

An object is made anew at an UPDATE as far as its annotations go: whatever is sent, the one that was there stays.
"""

from __future__ import annotations

from sentinel_operator.core.admission.verdict import FieldError, Review
from sentinel_operator.core.names import REQUESTED_BY
from sentinel_operator.core.plan import Manifest


def stamped(review: Review) -> str | None:
    """Gives the name that the annotation must hold; None where there must be none: whoever made the object is not
    known."""
    if review.old is None:
        return review.requester.username or None
    return _written(review.old)


def forged(review: Review) -> tuple[FieldError, ...]:
    """Gives an error for a new object that says another name: it came past the webhook that writes it."""
    told = _written(review.new)
    if review.old is not None or told is None or told == review.requester.username:
        return ()
    message = f"must be left out: the operator writes who created the object, which is {review.requester.username}"
    return (FieldError(f"metadata.annotations[{REQUESTED_BY}]", message),)


def _written(raw: Manifest) -> str | None:
    annotations = (raw.get("metadata") or {}).get("annotations") or {}
    value = annotations.get(REQUESTED_BY)
    return value if isinstance(value, str) else None
