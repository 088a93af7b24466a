"""Validation on admission: the second gate after the schema, in the same words as the operator's own parse."""

from __future__ import annotations

from sentinel_operator.core.admission.verdict import FieldError, Requester, Review, Validator, Verdict

__all__ = ["FieldError", "Requester", "Review", "Validator", "Verdict"]
