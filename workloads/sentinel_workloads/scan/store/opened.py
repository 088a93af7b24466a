"""Opens a store by its address, with the credentials that it is to be reached with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from sentinel_operator.api.scanning import ScanExit, Store
from sentinel_operator.api.serving import Retry
from sentinel_workloads.objectstore.credentials import mounted_credentials
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.scan.store.local import LocalStore
from sentinel_workloads.scan.store.protocol import ObjectStore

CONNECTIONS = 24


@asynccontextmanager
async def open_store(store: Store, *, field: str, retry: Retry) -> AsyncIterator[ObjectStore]:
    """The prefix `uri`, or the one object that it names. `field` is its path in the spec, named by failures."""
    match urlsplit(store.uri).scheme:
        case "file":
            yield LocalStore(store.uri, field=field)
        case "s3":
            # A scan of a folder needs no client of S3.
            from sentinel_workloads.objectstore.client import s3_client  # noqa: PLC0415
            from sentinel_workloads.objectstore.place import Place  # noqa: PLC0415
            from sentinel_workloads.scan.store.s3 import S3Store  # noqa: PLC0415

            place = Place(store.uri, store.access, field)
            place.split()
            credentials = mounted_credentials(store.credentials_dir, field=field)
            async with s3_client(place, retry=retry, connections=CONNECTIONS, credentials=credentials) as client:
                yield S3Store(client, place, retry=retry, credentials_dir=store.credentials_dir)
        case scheme:
            message = f"an address begins with s3:// or file:///, not with {scheme or 'nothing'}"
            raise Failure(ScanExit.InvalidConfig, f"{field}.uri", message)
