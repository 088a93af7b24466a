"""Objects as YAML and JSON, the way people and other tools read them."""

from __future__ import annotations

import json
from typing import Any

import yaml
from typing_extensions import override

from sentinel_operator.core.plan import Manifest


def written(raw: Manifest) -> Manifest:
    """Gives an object as people want to read it: without managedFields, as kubectl does."""
    return {**raw, "metadata": {key: value for key, value in raw["metadata"].items() if key != "managedFields"}}


def as_json(body: Any) -> str:
    """Writes JSON as kubectl does."""
    return json.dumps(body, indent=4, ensure_ascii=False) + "\n"


def as_yaml(*documents: Any) -> str:
    """Writes YAML as Kubernetes reads it, in the order of the fields; no aliases, control characters escaped."""
    import yaml  # noqa: PLC0415 - only some outputs need it

    class Dumper(yaml.SafeDumper):
        @override
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    @override
    def ignore_aliases(self, data: Any) -> bool:
        return True
