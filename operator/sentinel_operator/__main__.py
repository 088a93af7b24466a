"""`python -m sentinel_operator`."""

from __future__ import annotations

import asyncio
import sys

from sentinel_operator.app import PARTS, App
from sentinel_operator.config import parse
from sentinel_operator.engine import logging


def main() -> int:
    """Runs the operator until SIGTERM; gives its exit status."""
    settings = parse(sys.argv[1:])
    logging.configure(settings.log_level)

    async def run() -> int:
        return await App(settings, PARTS).run()

    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
