"""`python -m sentinel_agent [--config FILE]`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from typing_extensions import override

from sentinel_agent.agent import Agent
from sentinel_agent.config import SettingsError, load

_DEFAULT = Path("/etc/sentinel/config.yaml")


class _Json(logging.Formatter):
    """One line of JSON a record."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the agent until SIGTERM; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sentinel_agent", description="The Sentinel node agent.")
    parser.add_argument("--config", type=Path, default=_DEFAULT if _DEFAULT.exists() else None, metavar="FILE")
    path = parser.parse_args(arguments).config
    try:
        settings = load(path, os.environ)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Json())
        logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
        agent = Agent(settings)
    except (SettingsError, OSError) as error:  # a wrong setting, a port that is taken
        print(f"python -m sentinel_agent: {error}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop.set())
    agent.start()
    try:
        agent.run()
    finally:
        agent.close()
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)  # a thread that hangs in the driver must not keep the process
