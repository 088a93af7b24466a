"""The demo's object store: deployed into the cluster, filled with the signed artifacts."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

NAMESPACE = "object-store"
ENDPOINT = "http://seaweedfs.object-store.svc:8333"
"""Where the pods find it."""
BUCKET = "models"
DATASETS = "datasets"
"""Bucket of what is scanned, and of what scans leave."""
MANIFEST = Path(__file__).with_name("object-store.yaml")

# One volume a bucket: the default of seven would exhaust a small store after two buckets.
_GROWTH = "[master.volume_growth]\ncopy_1 = 1\ncopy_2 = 1\ncopy_3 = 1\ncopy_other = 1\n"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key pair of the object store."""

    access_key: str
    secret_key: str

    @classmethod
    def generate(cls) -> Credentials:
        """Gives a fresh random pair."""
        return cls(secrets.token_hex(10), secrets.token_hex(20))


def server_secret(*, writer: Credentials, reader: Credentials) -> dict[str, object]:
    """Gives the Secret with the store's settings: one identity that may write, one that may only read."""
    identities = [
        {"name": "writer", "actions": ["Admin"], "credentials": [_as_json(writer)]},
        {"name": "reader", "actions": [f"Read:{BUCKET}", f"List:{BUCKET}"], "credentials": [_as_json(reader)]},
    ]
    return _secret("seaweedfs", NAMESPACE, {"s3.json": json.dumps({"identities": identities}), "master.toml": _GROWTH})


def read_server_secret(secret: dict[str, Any]) -> tuple[Credentials, Credentials]:
    """Gives the writer and the reader of a Secret as the API server returns it."""
    settings = json.loads(base64.b64decode(secret["data"]["s3.json"]))
    named = {identity["name"]: identity["credentials"][0] for identity in settings["identities"]}
    writer, reader = (Credentials(named[name]["accessKey"], named[name]["secretKey"]) for name in ("writer", "reader"))
    return writer, reader


def client_secret(namespace: str, credentials: Credentials, *, name: str = "object-store") -> dict[str, object]:
    """Gives a Secret that an object names as its credentials."""
    keys = {"AWS_ACCESS_KEY_ID": credentials.access_key, "AWS_SECRET_ACCESS_KEY": credentials.secret_key}
    return _secret(name, namespace, keys)


async def upload(
    *,
    endpoint: str,
    credentials: Credentials,
    folder: Path,
    prefix: str,
    bucket: str = BUCKET,
    leave_out: Collection[str] = (),
) -> int:
    """Puts the files below the folder at the prefix of the bucket (made when missing); gives the number of bytes."""
    total = 0
    async with _client(endpoint, credentials) as s3:
        if bucket not in {each["Name"] for each in (await s3.list_buckets()).get("Buckets", [])}:
            await s3.create_bucket(Bucket=bucket)
        for path in [path for path in _files_below(folder) if path.name not in leave_out]:
            body = await asyncio.to_thread(path.read_bytes)
            await s3.put_object(Bucket=bucket, Key=f"{prefix}/{path.relative_to(folder).as_posix()}", Body=body)
            total += len(body)
    return total


async def download(*, endpoint: str, credentials: Credentials, uri: str, folder: Path) -> int:
    """Brings what lies at the URI (s3://bucket/prefix/) into the folder; gives the number of files."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    files = 0
    async with _client(endpoint, credentials) as s3:
        async for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", ()):
                target = folder / item["Key"].removeprefix(prefix)
                target.parent.mkdir(parents=True, exist_ok=True)
                answer = await s3.get_object(Bucket=bucket, Key=item["Key"])
                body = await answer["Body"].read()
                await asyncio.to_thread(target.write_bytes, body)
                files += 1
    return files


def _client(endpoint: str, credentials: Credentials) -> Any:
    """Gives a client as an asynchronous context manager."""
    return get_session().create_client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        config=AioConfig(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 8, "mode": "standard"}),
    )


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _as_json(credentials: Credentials) -> dict[str, str]:
    return {"accessKey": credentials.access_key, "secretKey": credentials.secret_key}


def _secret(name: str, namespace: str, data: dict[str, str]) -> dict[str, object]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": data}
