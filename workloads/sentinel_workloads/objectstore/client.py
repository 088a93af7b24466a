"""A client of an S3-compatible store that waits no longer than its caller's patience, and acts as the pod alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import UNSIGNED
from botocore.loaders import create_loader

from sentinel_operator.api.serving import Retry
from sentinel_workloads.objectstore.faults import translated
from sentinel_workloads.objectstore.place import Place
from sentinel_workloads.objectstore.trust import trust_of
from sentinel_workloads.objectstore.waits import Waits


@cache
def _loader() -> Any:
    """What is known of S3, read once for all clients of a process: it is most of what making one costs."""
    return create_loader()


@asynccontextmanager
async def s3_client(
    place: Place,
    *,
    retry: Retry,
    connections: int,
    credentials: Mapping[str, str] | None = None,
) -> AsyncIterator[Any]:
    """A client of the place. Retries are ours, so it makes none. `credentials` are the client's keyword arguments;
    without them it looks where AWS' clients look, except at the node that it happens to run on."""
    access = place.access
    if access.ca_file:
        trust_of(access.ca_file, field=f"{place.field}.caBundle")  # it would be found out only by connecting
    waits = Waits.within(retry)
    settings = AioConfig(
        connect_timeout=waits.connect,
        read_timeout=waits.read,
        retries={"total_max_attempts": 1},
        max_pool_connections=connections,
        signature_version=UNSIGNED if access.anonymous else None,
        s3={"addressing_style": "path" if access.endpoint else "auto"},
        response_checksum_validation="when_required",  # who wants a checksum asks for it with the request
    )
    session = get_session()
    session.register_component("data_loader", _loader())
    session.get_component("credential_provider").remove("iam-role")
    with translated(place):
        opened = session.create_client(
            "s3",
            region_name=access.region,
            endpoint_url=access.endpoint or None,
            verify=access.ca_file or None,
            config=settings,
            **(credentials or {}),
        )
        client = await opened.__aenter__()
    try:
        yield client
    finally:
        await client.__aexit__(None, None, None)
