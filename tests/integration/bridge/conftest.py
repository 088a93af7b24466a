"""A bridge and a brain a test, on the real API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.engine.conftest import api, kubeconfig, world
from tests.support.bridgeworld import Bridges, opened
from tests.support.toyworld import World

__all__ = ["api", "kubeconfig", "world"]


@pytest.fixture
async def bridges(world: World, tmp_path: Path) -> AsyncIterator[Bridges]:
    async with opened(world, tmp_path) as made:
        yield made
