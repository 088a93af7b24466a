"""`python -m sentinel_workloads.fetch`: brings the artifact, verifies the copy, hands it over, and exits as agreed.

`python -m sentinel_workloads.fetch follow` does so for each revision that the operator's ConfigMap names, and goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from sentinel_operator.api.serving import CONFIG_DIR, FETCH_FILE, MODEL_DIR, ExitCode, Termination
from sentinel_workloads.fetch import report
from sentinel_workloads.fetch.config import load_config
from sentinel_workloads.fetch.run import fetch
from sentinel_workloads.logs import start_logging
from sentinel_workloads.objectstore.failures import Failure

log = logging.getLogger("sentinel_workloads.fetch")
FOLLOW = "follow"
TERMINATED = 128 + signal.SIGTERM
UNEXPECTED = 1
Outcome = tuple[Termination, int]


def main(argv: list[str] | None = None) -> int:
    """Runs one fetch, or follows, and returns the container's exit code."""
    given = sys.argv[1:] if argv is None else argv
    return _run(_following(given[1:]) if given[:1] == [FOLLOW] else _fetching(given))


def _fetching(given: list[str]) -> Coroutine[Any, Any, Outcome]:
    parser = argparse.ArgumentParser(prog="python -m sentinel_workloads.fetch", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path(CONFIG_DIR) / FETCH_FILE, metavar="FILE")
    parser.add_argument("--out", type=Path, default=Path(MODEL_DIR), metavar="FOLDER")
    arguments = parser.parse_args(given)
    return _fetch(arguments.config, arguments.out)


def _following(given: list[str]) -> Coroutine[Any, Any, Outcome]:
    from sentinel_workloads.fetch.follow import command  # noqa: PLC0415 - a fetch alone needs no HTTP server

    parser = argparse.ArgumentParser(prog="python -m sentinel_workloads.fetch follow", description=command.__doc__)
    command.arguments_of(parser)
    return command.follow(parser.parse_args(given))


def _run(work: Coroutine[Any, Any, Outcome]) -> int:
    start_logging()
    try:
        termination, code = asyncio.run(work)
    except Exception as error:
        log.exception("this should not have happened")
        termination, code = (
            Termination(reason="InternalError", message=f"{type(error).__name__}; see the log"),
            UNEXPECTED,
        )
    with contextlib.suppress(OSError):  # the exit code says the most important thing
        report.write_termination(termination)
    return code


async def _fetch(config_file: Path, out: Path) -> Outcome:
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel if task else lambda: None)
    try:
        verification = await fetch(load_config(config_file), out)
    except Failure as failure:
        log.error(failure.message, extra={"reason": failure.code.name, "field": failure.field})  # noqa: TRY400
        return report.failure(failure), failure.code
    except asyncio.CancelledError:
        log.warning("stopped by a signal")
        # A thread may still be hashing gigabytes, and both the loop and the interpreter would wait for it.
        os._exit(TERMINATED)
    log.info("verified", extra=verification.model_dump())
    return report.success(verification), ExitCode.Ok


if __name__ == "__main__":
    sys.exit(main())
