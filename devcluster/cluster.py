"""A cluster by name: up, down, and images brought to its nodes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from devcluster import debian
from devcluster.errors import DevclusterError
from devcluster.layout import Layout
from devcluster.life import bring_up, remove

Say = Callable[[str], None]
_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")


def _silent(_: str) -> None:
    """Says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster(Layout):
    """One cluster of this machine; as a context manager it ends with the block."""

    @classmethod
    def up(
        cls, *, name: str = "dev", nodes: int = 1, gateway: bool = False, audit: bool = False, say: Say = _silent
    ) -> Cluster:
        """Gives the running cluster of this name, or brings it up anew; remains of a killed one are removed first."""
        _check(name)
        if nodes < 1:
            raise DevclusterError(f"a cluster with nodes has one at least, not {nodes}")
        if os.geteuid() != 0:
            raise DevclusterError("a local cluster with nodes needs root: it makes network namespaces")
        debian.require(debian.NODES, say)
        return bring_up(cls(name=name, nodes=nodes, gateway=gateway, audit=audit), say)

    @classmethod
    def api_only(
        cls, *, name: str, controller_manager: bool = False, audit: bool = False, say: Say = _silent
    ) -> Cluster:
        """Gives an API server without nodes, on free loopback ports; it needs no rights and no packages."""
        _check(name)
        return bring_up(cls(name=name, nodes=0, controller_manager=controller_manager, audit=audit), say)

    def down(self) -> None:
        """Removes the cluster and everything that it made."""
        remove(self.name)

    def load(self, archive: Path, *, image: str) -> None:
        """Brings an image archive into every node that does not have it yet."""
        with ThreadPoolExecutor(max(1, self.nodes)) as nodes:
            for loaded in [nodes.submit(node.load, archive, image=image) for node in self.all_nodes]:
                loaded.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise DevclusterError(
            f"{name!r} is no name for a cluster: lower-case letters and digits, at most 12, a letter first"
        )
