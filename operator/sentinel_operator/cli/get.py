"""`get`: our objects as a table, or as they are."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Literal

from sentinel_operator.api.kinds import Kind
from sentinel_operator.cli.cluster import Cluster, Where, cluster
from sentinel_operator.cli.grid import console, show
from sentinel_operator.cli.kinds import selection
from sentinel_operator.cli.outcome import Exit
from sentinel_operator.cli.table import table
from sentinel_operator.cli.written import as_json, as_yaml, written
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.errors import ApiError, NotFound
from sentinel_operator.engine.resources import Resource

Output = Literal["table", "wide", "json", "yaml", "name"]


def get(wanted: str | None, where: Where, *, everywhere: bool, output: Output) -> Exit:
    """Prints what is asked for; one object that is not there is no error of the API server, but a "no"."""
    return asyncio.run(_get(wanted, where, everywhere=everywhere, output=output))


async def _get(wanted: str | None, where: Where, *, everywhere: bool, output: Output) -> Exit:
    kinds, name = selection(wanted)
    async with cluster(where) as connected:
        namespace = "" if everywhere and not name else connected.namespace
        if name:
            one = await connected.api.find(Resource.of_kind(kinds[0]), namespace, name)
            if one is None:
                print(f"{kinds[0].kind.lower()}/{name} is not there", file=sys.stderr)
                return Exit.NOT_READY
            found = [(kinds[0], [one])]
        else:
            found = await _listed(connected, kinds, namespace)
    if not any(items for _, items in found) and output in ("table", "wide"):
        print("No resources found" + (f" in {namespace} namespace." if namespace else "."), file=sys.stderr)
        return Exit.OK
    _print(found, output=output, single=bool(name), everywhere=everywhere)
    return Exit.OK


async def _listed(connected: Cluster, kinds: tuple[Kind, ...], namespace: str) -> list[tuple[Kind, list[Manifest]]]:
    """Lists each kind. Of several, one that may not be read is told and passed over, as long as another may."""
    found: list[tuple[Kind, list[Manifest]]] = []
    refused: list[ApiError] = []
    for kind in kinds:
        try:
            items, _ = await connected.api.list(Resource.of_kind(kind), namespace=namespace)
        except ApiError as error:
            if error.code not in (403, 404) or len(kinds) == 1:
                raise
            refused.append(error)
        else:
            found.append((kind, items))
    if not found:
        raise next((each for each in refused if not isinstance(each, NotFound)), refused[0])
    for each in refused:
        print(f"warning: {each.message}", file=sys.stderr)
    return found


def _print(found: list[tuple[Kind, list[Manifest]]], *, output: Output, single: bool, everywhere: bool) -> None:
    if output in ("json", "yaml"):
        items = [written(raw) for _, each in found for raw in each]
        body = items[0] if single else {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}
        sys.stdout.write(as_json(body) if output == "json" else as_yaml(body))
        return
    if output == "name":
        for kind, each in found:
            sys.stdout.writelines(f"{kind.kind.lower()}.{kind.group}/{raw['metadata']['name']}\n" for raw in each)
        return
    to, now, filled = console(), datetime.now(UTC), [(kind, each) for kind, each in found if each]
    for index, (kind, each) in enumerate(filled):
        if index:
            to.print()
        namespaces = everywhere and kind.namespaced
        lines = table(kind, each, now=now, wide=output == "wide", namespaces=namespaces, kinds=len(filled) > 1)
        show(lines, to)
