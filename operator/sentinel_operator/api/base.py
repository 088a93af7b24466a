"""The base of the contract's models: camelCase on the wire, immutable in memory, docstrings as descriptions."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

GROUP = "sentinel.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class Model(BaseModel):
    """A frozen value. Unknown fields are ignored, so that a newer CRD never breaks an older operator;
    the API server refuses or prunes them first (`kubectl apply --validate=strict`)."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )
