"""An operator for Toys as a process of its own: `python -m tests.support.toyoperator`, with the operator's flags."""

from __future__ import annotations

import asyncio
import sys

from sentinel_operator.app import App, Parts
from sentinel_operator.config import parse
from sentinel_operator.engine import logging
from tests.support.toy import TOY, ToyReconciler, judge


def main() -> int:
    """Runs until SIGTERM."""
    settings = parse(sys.argv[1:])
    logging.configure(settings.log_level)

    async def run() -> int:
        return await App(settings, Parts([ToyReconciler()], {TOY.kind: judge})).run()

    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
