"""The object stores that a ScanJob speaks to, each under one name: for its credentials, its trust and its messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sentinel_operator.api.pod import ObjectStore
from sentinel_operator.api.scanjob import ScanJobSpec
from sentinel_operator.api.scanning import Store
from sentinel_operator.api.serving import CONFIG_DIR, SECRETS_DIR, ObjectStoreAccess


@dataclass(frozen=True, slots=True)
class Named:
    """One store, and the field that declares it."""

    name: str
    field: str
    store: ObjectStore

    @property
    def ca_file(self) -> str:
        """Names the file of the certificates that it is trusted by."""
        return f"ca-{self.name}.pem"

    @property
    def volume(self) -> str:
        """Names the volume of its credentials."""
        return f"credentials-{self.name}"

    @property
    def credentials_dir(self) -> str:
        """Where its credentials are mounted."""
        return f"{SECRETS_DIR}/{self.name}"


def stores(spec: ScanJobSpec) -> Iterator[Named]:
    """Yields every store that is used, in the order of the spec."""
    yield Named("source", "spec.source.objectStore", spec.source.object_store)
    if spec.source.provenance is not None:
        yield Named("provenance", "spec.source.provenance", spec.source.provenance)
    if spec.cache is not None:
        yield Named("cache", "spec.cache.objectStore", spec.cache.object_store)
    quarantine = spec.quarantine
    if quarantine is not None and quarantine.mode != "None" and quarantine.object_store is not None:
        yield Named("quarantine", "spec.quarantine.objectStore", quarantine.object_store)
    yield Named("output", "spec.output.objectStore", spec.output.object_store)


def as_store(named: Named, *, uri: str = "") -> Store:
    """Gives a store as the pods need it."""
    store = named.store
    return Store(
        uri=uri or store.uri,
        access=ObjectStoreAccess(
            endpoint=store.endpoint.rstrip("/"),
            region=store.region,
            ca_file=f"{CONFIG_DIR}/{named.ca_file}" if store.ca_bundle is not None else "",
        ),
        credentials_dir=named.credentials_dir if store.credentials_secret_ref is not None else "",
    )


def prefix(uri: str) -> str:
    """Gives an address as that of a folder."""
    return uri if uri.endswith("/") else f"{uri}/"
