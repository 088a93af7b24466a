"""Kinds that were just defined: when the API server serves them."""

from __future__ import annotations

import time
from collections.abc import Callable

from devcluster.errors import DevclusterError

_SERVED = 60.0


def await_served(kubectl: Callable[..., str], *paths: str) -> None:
    """Returns when each path (such as /apis/GROUP/VERSION/PLURAL) is answered; raises DevclusterError after a minute.

    `kubectl wait` gives up at once on a definition that has no conditions yet.
    """
    deadline = time.monotonic() + _SERVED
    for path in paths:
        while True:
            try:
                kubectl("get", "--raw", f"{path}?limit=1")
            except DevclusterError as error:
                if time.monotonic() > deadline:
                    raise DevclusterError(f"{path} is not served after {_SERVED:.0f} s: {error}") from error
                time.sleep(0.1)
            else:
                break
