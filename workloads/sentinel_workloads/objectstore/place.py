"""Where something lies in a store, and which field of the spec says so: what every failure names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sentinel_operator.api.serving import ExitCode, ObjectStoreAccess
from sentinel_workloads.objectstore.failures import Failure

BUCKET = re.compile(r"[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Place:
    """An address of a store; `field` is the path of the object store in the spec."""

    uri: str
    access: ObjectStoreAccess
    field: str

    @property
    def bucket(self) -> str:
        """The bucket, as it is written."""
        return self.uri.removeprefix("s3://").partition("/")[0]

    @property
    def access_field(self) -> str:
        """The field that leads to the server."""
        return f"{self.field}.{'endpoint' if self.access.endpoint else 'uri'}"

    def split(self) -> tuple[str, str]:
        """Bucket and key; InvalidConfig for a bucket that there cannot be."""
        bucket, _, key = self.uri.removeprefix("s3://").partition("/")
        if not BUCKET.fullmatch(bucket):
            raise Failure(
                ExitCode.InvalidConfig, f"{self.field}.uri", f"{self.uri!r} names no bucket that there can be"
            )
        return bucket, key
