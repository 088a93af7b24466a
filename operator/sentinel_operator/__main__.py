"""`python -m sentinel_operator`."""

from __future__ import annotations

import asyncio
import sys

from kubernetes_asyncio.config import ConfigException

from sentinel_operator.app import PARTS, App
from sentinel_operator.config import parse
from sentinel_operator.engine import logging


def main() -> int:
    """Runs the operator until SIGTERM; gives its exit status."""
    settings = parse(sys.argv[1:])
    logging.configure(settings.log_level)

    async def run() -> int:
        return await App(settings, PARTS).run()

    try:
        return asyncio.run(run())
    except (ConfigException, OSError) as error:  # no kubeconfig, a port that is taken
        print(f"python -m sentinel_operator: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
