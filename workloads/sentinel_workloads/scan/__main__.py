"""`python -m sentinel_workloads.scan plan|shard|report`: one pod of a ScanJob, ended as agreed."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
from pathlib import Path

from sentinel_operator.api.scanning import SCAN_FILE, ScanFailure
from sentinel_operator.api.serving import CONFIG_DIR
from sentinel_workloads.logs import start_logging
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.scan import command
from sentinel_workloads.scan.opened import load_config, open_detector
from sentinel_workloads.scan.shard.listen import PORT
from sentinel_workloads.scan.termination import write_termination

log = logging.getLogger("sentinel_workloads.scan")
UNEXPECTED = 1


def main(argv: list[str] | None = None, *, opener: command.Opener = open_detector) -> int:
    """Runs one pod to its end, and returns the container's exit code."""
    arguments = _arguments(argv)
    start_logging()
    try:
        outcome, code = asyncio.run(_run(arguments, opener))
    except Failure as failure:
        outcome, code = command.failed(failure)
    except Exception as error:  # noqa: BLE001 - whatever it is, Kubernetes is told
        outcome, code = _unexpected(error)
    with contextlib.suppress(OSError):  # the exit code says the most important thing
        write_termination(outcome)
    return code


def _unexpected(error: Exception) -> command.Ended:
    if isinstance(error, OSError) and (failure := command.out_of_space(error)):
        return command.failed(failure)
    log.error("this should not have happened", exc_info=error)
    return ScanFailure(reason="InternalError", message=f"{type(error).__name__}; see the log"), UNEXPECTED


async def _run(arguments: argparse.Namespace, opener: command.Opener) -> command.Ended:
    config = load_config(arguments.config)
    match arguments.step:
        case "plan":
            return await command.plan(config, port=arguments.port)
        case "shard":
            return await command.shard(config, index=arguments.index, port=arguments.port, opener=opener)
        case _:
            return await command.report(config, port=arguments.port)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sentinel_workloads.scan", description=__doc__)
    parser.add_argument("step", choices=("plan", "shard", "report"))
    parser.add_argument("--config", type=Path, default=Path(CONFIG_DIR) / SCAN_FILE, metavar="FILE")
    parser.add_argument("--index", type=int, default=command.default_index(), help="of the shard")
    parser.add_argument("--port", type=int, default=PORT, help="for progress and metrics; -1: none")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
