from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.integration.scan.pipeline.scene import Scene
from tests.support.weed import Weed, running_weed

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    with running_weed(tmp_path_factory.mktemp("weed")) as running:
        yield running


@pytest.fixture
async def scene(weed: Weed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """A bucket of its own for one test."""
    for name, value in weed.credentials().items():
        monkeypatch.setenv(name, value)
    bucket = f"scan-{next(_NUMBERS)}"
    async with weed.client() as client, AsyncExitStack() as stack:
        await client.create_bucket(Bucket=bucket)
        yield Scene(weed, client, bucket, tmp_path, stack)
