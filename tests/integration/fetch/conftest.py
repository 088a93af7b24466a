from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sentinel_operator.api.serving import FetchConfig, ObjectStoreAccess
from tests.integration.fetch.harness import HASTY, Fetcher
from tests.integration.fetch.zygote import Zygote
from tests.support.sigstore_mock import SigstoreMock, running_sigstore
from tests.support.weed import Weed, running_weed

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    with running_weed(tmp_path_factory.mktemp("weed")) as running:
        yield running


@pytest.fixture(scope="session")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigstoreMock]:
    with running_sigstore(tmp_path_factory.mktemp("sigstore")) as running:
        yield running


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with Zygote.running() as running:
        yield running


@pytest.fixture
def fetcher(tmp_path: Path, zygote: Zygote) -> Fetcher:
    (tmp_path / "fetch").mkdir()
    return Fetcher(tmp_path / "fetch", zygote)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of its own for one test, and a client that may do anything with it."""

    weed: Weed
    name: str
    client: Any

    async def put(self, **objects: bytes) -> None:
        await self.put_all(objects)

    async def put_all(self, objects: dict[str, bytes]) -> None:
        for key, content in objects.items():
            await self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def config(self, key: str, *, endpoint: str = "", **fields: Any) -> FetchConfig:
        access = ObjectStoreAccess(endpoint=endpoint or self.weed.endpoint)
        return FetchConfig(**{"uri": f"s3://{self.name}/{key}", "object_store": access, "retry": HASTY, **fields})


@pytest.fixture
async def bucket(weed: Weed, fetcher: Fetcher) -> AsyncIterator[Bucket]:
    fetcher.env.update(weed.credentials())
    async with weed.client() as client:
        name = f"models-{next(_NUMBERS)}"
        await client.create_bucket(Bucket=name)
        yield Bucket(weed, name, client)
        # Every bucket holds volumes of the one small server.
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=name)
        async for page in pages:
            for item in page.get("Contents", ()):
                await client.delete_object(Bucket=name, Key=item["Key"])
        await client.delete_bucket(Bucket=name)
