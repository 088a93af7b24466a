"""Makes the mark `xdist_group` hold: pytest 9.2 keeps a test's id where pytest-xdist 3.8 does not write the group."""

from __future__ import annotations

import pytest
from _pytest.nodeid import NodeId


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Takes over the id that pytest-xdist has given a test, where it has."""
    for item in items:
        named = vars(item).get("_nodeid")
        if named is not None:
            item._id = NodeId.parse(named)
