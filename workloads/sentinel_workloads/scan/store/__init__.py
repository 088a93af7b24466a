"""Where datasets, results, quarantine and cache lie: an S3-compatible store, or a folder of this machine."""

from sentinel_workloads.scan.store.opened import open_store
from sentinel_workloads.scan.store.protocol import CHUNK_BYTES, Found, ObjectStore

__all__ = ["CHUNK_BYTES", "Found", "ObjectStore", "open_store"]
