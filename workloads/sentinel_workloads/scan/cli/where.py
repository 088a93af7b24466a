"""Turns what a person types for a place, a path or an address, into a store."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

from sentinel_operator.api.scanning import Store
from sentinel_operator.api.serving import ObjectStoreAccess, Retry
from sentinel_workloads.scan.cli.outcome import Failed
from sentinel_workloads.scan.store import ObjectStore, open_store

HASTY = Retry(deadline_seconds=20)
"""A person waits for the answer."""


def store_of(place: str, *, endpoint: str = "", folder: bool = False) -> Store:
    """The store at a path, a file:// or an s3:// address; `folder` makes it a prefix even where nothing is yet."""
    scheme = urlsplit(place).scheme
    if scheme == "s3":
        uri = f"{place}/" if folder and not place.endswith("/") else place
        return Store(uri=uri, access=ObjectStoreAccess(endpoint=endpoint))
    if scheme == "file":
        return Store(uri=place)
    if "://" in place:
        raise Failed(f"{place}: a place is a path, or an address that begins with s3://")
    path = Path(place).absolute()
    uri = path.as_uri()
    return Store(uri=f"{uri}/" if folder or path.is_dir() else uri)


def opened(place: str, *, endpoint: str = "") -> AbstractAsyncContextManager[ObjectStore]:
    """A folder, opened to be read."""
    store = store_of(place, endpoint=endpoint, folder=True)
    return open_store(store, field=place, retry=HASTY)


def path_of(store: Store) -> Path | None:
    """Where a store lies on this machine; None for one that does not."""
    parts = urlsplit(store.uri)
    return Path(parts.path) if parts.scheme == "file" else None
