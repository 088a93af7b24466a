"""One object as it changes: a list, then a watch from there, taken up again whenever the stream ends or breaks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from sentinel_operator.cli.cluster import Cluster
from sentinel_operator.cli.kinds import Target
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.backoff import Backoff
from sentinel_operator.engine.errors import Gone, Retry
from sentinel_operator.engine.resources import Resource

_SECONDS = 300
_IDLE = 75.0  # bookmarks come every minute: a stream silent for longer is dead
_PAUSE = 0.1
_BASE, _CAP = 0.5, 15.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The object as it was last seen; None where there is none. `trouble` says why nothing newer is known."""

    raw: Manifest | None
    trouble: str = ""


async def follow(connected: Cluster, wanted: Target, *, rng: random.Random) -> AsyncGenerator[Seen, None]:
    """Yields the object now and after each change, until the caller stops. The first answer must come: an ApiError is
    raised. Later ones may fail for a while."""
    resource, namespace = Resource.of_kind(wanted.kind), connected.namespace
    query = (("fieldSelector", f"metadata.name={wanted.name}"),)
    backoff = Backoff(rng, base=_BASE, cap=_CAP)
    raw: Manifest | None = None
    version, began = "", False
    while True:
        try:
            if not version:
                items, version = await connected.api.list(resource, namespace=namespace, query=query)
                raw, began = next(iter(items), None), True
                yield Seen(raw)
            events = connected.api.watch(
                resource, namespace=namespace, resource_version=version, seconds=_SECONDS, idle=_IDLE, query=query
            )
            # Closed here and now, while its session is open.
            async with aclosing(cast("AsyncGenerator[Manifest, None]", events)) as stream:
                async for event in stream:
                    version = event["object"]["metadata"]["resourceVersion"]
                    backoff.reset()
                    if event["type"] != "BOOKMARK":
                        raw = None if event["type"] == "DELETED" else event["object"]
                        yield Seen(raw)
            await asyncio.sleep(_PAUSE)
        except Gone:
            version = ""
            await asyncio.sleep(backoff.next())
        except Retry as error:
            if not began:
                raise
            yield Seen(raw, trouble=error.message)
            await asyncio.sleep(backoff.next(at_least=error.after))
