"""A block of fields that stands in a schema more than once is described once; elsewhere it says where."""

from __future__ import annotations

import json
from typing import Any

Schema = dict[str, Any]

SAVES = 1024
"""Bytes of description below which saying it again is better than sending the reader elsewhere."""


def bare(schema: Schema) -> Schema:
    """Gives the schema without a word of description: two blocks that are alike accept and refuse the same."""
    out = {key: value for key, value in schema.items() if key != "description"}
    if "properties" in out:
        out["properties"] = {name: bare(child) for name, child in out["properties"].items()}
    for keyword in ("items", "additionalProperties"):
        if isinstance(out.get(keyword), dict):
            out[keyword] = bare(out[keyword])
    return out


def fingerprint(schema: Schema) -> str:
    """Gives the same text for blocks that are alike."""
    return json.dumps(bare(schema), sort_keys=True)


def pointer(path: str) -> str:
    """Gives what is added to the description of a block whose fields are described elsewhere."""
    return f" Its fields: see {path}."


def told_once(schema: Schema, path: str) -> Schema:
    """Gives the schema with the fields of each long block described where it comes first, in the order of fields."""
    return _told(schema, path, {})


def _told(schema: Schema, path: str, seen: dict[str, str]) -> Schema:
    if "properties" in schema:
        if _described_bytes(schema) >= SAVES:
            first = seen.setdefault(fingerprint(schema), path)
            if first != path:
                return {"description": schema["description"] + pointer(first), **bare(schema)}
        fields = {name: _told(child, f"{path}.{name}", seen) for name, child in schema["properties"].items()}
        return {**schema, "properties": fields}
    if "properties" in schema.get("items", {}):
        return {**schema, "items": _told(schema["items"], f"{path}[]", seen)}
    return schema


def _described_bytes(schema: Schema) -> int:
    return len(json.dumps(schema, ensure_ascii=False)) - len(json.dumps(bare(schema), ensure_ascii=False))
