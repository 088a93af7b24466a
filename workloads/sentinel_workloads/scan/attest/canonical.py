"""The one way in which a value is written as JSON before it is hashed or signed."""

from __future__ import annotations

import json
from typing import Any

from sentinel_operator.api.base import Model


def canonical(value: Any) -> bytes:
    """Sorted keys, no blanks, UTF-8: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def canonical_model(model: Model) -> bytes:
    """The canonical JSON of a value of the contract."""
    return canonical(model.model_dump(mode="json", by_alias=True))
