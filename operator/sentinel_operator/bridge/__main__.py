"""`python -m sentinel_operator.bridge`."""

from __future__ import annotations

import asyncio
import signal
import sys

from kubernetes_asyncio.config import ConfigException

from sentinel_operator.bridge.app import App
from sentinel_operator.bridge.settings import parse
from sentinel_operator.engine import logging


def main() -> int:
    """Runs the bridge until SIGTERM; gives its exit status."""
    settings = parse(sys.argv[1:])
    logging.configure(settings.log_level)

    async def run() -> int:
        app = App(settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, app.stop.set)
        return await app.run()

    try:
        return asyncio.run(run())
    except (ConfigException, OSError) as error:  # no kubeconfig, a port that is taken
        print(f"python -m sentinel_operator.bridge: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
