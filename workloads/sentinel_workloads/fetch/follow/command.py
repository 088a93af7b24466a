"""`follow`: the container beside the server, and, with --once, the one before it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from contextlib import aclosing
from pathlib import Path

from sentinel_operator.api.active import FOLLOW_PORT, SERVICE_ACCOUNT_DIR
from sentinel_operator.api.serving import CONFIG_DIR, FETCH_FILE, MODEL_DIR, SERVING_FILE, ExitCode, Termination
from sentinel_workloads.fetch import report
from sentinel_workloads.fetch.follow.follower import Follower
from sentinel_workloads.fetch.follow.home import Home
from sentinel_workloads.fetch.follow.status import Status
from sentinel_workloads.fetch.follow.wanted import own, wanted_of
from sentinel_workloads.fetch.follow.watch import Target, WatchError, states, wait_after
from sentinel_workloads.objectstore.failures import Failure

log = logging.getLogger(__name__)
PATIENCE_SECONDS = 60.0
"""How long --once waits for an API server that does not answer."""


def arguments_of(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    parser.add_argument("--config-map", required=True, metavar="NAME")
    parser.add_argument("--namespace", default="", help="(default: the pod's own)")
    parser.add_argument("--once", action="store_true", help="end when the active revision is handed over")
    parser.add_argument("--out", type=Path, default=Path(MODEL_DIR), metavar="FOLDER")
    parser.add_argument("--config", type=Path, default=Path(CONFIG_DIR), metavar="FOLDER", help="without a ConfigMap")
    parser.add_argument("--service-account", type=Path, default=Path(SERVICE_ACCOUNT_DIR), metavar="FOLDER")
    parser.add_argument("--host", default="")
    parser.add_argument("--port", type=int, default=FOLLOW_PORT)
    parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS")


async def follow(arguments: argparse.Namespace) -> tuple[Termination, int]:
    """Follows until told to end, or, while nothing was ever handed over, until that fails or (--once) is done."""
    follower = Follower(Home(arguments.out))
    status = Status(follower)
    reader = Reader(arguments, follower, status)
    runner = None
    if not arguments.once:
        runner, port = await status.serve(arguments.host, arguments.port)
        log.info("listening", extra={"port": port})
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tasks = [asyncio.create_task(work) for work in (reader.run(), _outcome(follower, once=arguments.once), _set(stop))]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    try:
        if tasks[2] in done:
            # A thread may still be hashing gigabytes, and both the loop and the interpreter would wait for it.
            log.info("stopped by a signal")
            os._exit(128 + signal.SIGTERM if arguments.once else ExitCode.Ok)
        for task in done:
            if (found := task.result()) is not None:
                return found, ExitCode.Ok
    except Failure as failure:
        log.error(failure.message, extra={"reason": failure.code.name, "field": failure.field})  # noqa: TRY400
        return report.failure(failure), failure.code
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await follower.close()
        if runner is not None:
            await runner.cleanup()
    raise AssertionError("following never ends by itself")


async def _set(stop: asyncio.Event) -> None:
    await stop.wait()


async def _outcome(follower: Follower, *, once: bool) -> Termination | None:
    """Ends when the active revision is there (--once), or raises why it is not while nothing else can be served."""
    before = follower.told is not None
    while True:
        await follower.changed.wait()
        follower.changed.clear()
        wanted = follower.wanted
        held = follower.held.get(wanted.active) if wanted is not None else None
        if held is None:
            continue
        if held.failure is not None and held.state == "Failed" and (once or not before):
            raise held.failure
        if held.state == "Verified":
            before = True
            if once:
                return Termination(verification=held.verification)


class Reader:
    """Brings what the API server says to the follower, however often the connection is lost."""

    def __init__(self, arguments: argparse.Namespace, follower: Follower, status: Status) -> None:
        self._arguments, self._follower, self._status = arguments, follower, status

    async def run(self) -> None:
        """Reads for ever. With --once it gives up when nothing was heard for too long."""
        loop = asyncio.get_running_loop()
        failures, heard = 0, loop.time()
        while True:
            try:
                target = Target.in_cluster(
                    self._arguments.config_map,
                    namespace=self._arguments.namespace,
                    account=self._arguments.service_account,
                )
                async with aclosing(states(target)) as found:
                    async for each in found:
                        self._status.connected = True
                        failures, heard = 0, loop.time()
                        self._take(each)
            except WatchError as error:
                failures += 1
                log.warning("will read the ConfigMap again", extra={"fault": str(error)})
                silent = loop.time() - heard
                if self._follower.wanted is None and self._arguments.once and silent > self._arguments.patience:
                    name = f"ConfigMap {self._arguments.config_map}"
                    message = f"what to serve could not be read for {silent:.0f} s: {error}"
                    raise Failure(ExitCode.StorageUnreachable, name, message) from error
            self._status.connected = False
            await asyncio.sleep(wait_after(failures))

    def _take(self, config_map: dict[str, object] | None) -> None:
        follower = self._follower
        if config_map is None:
            if follower.wanted is None and (follower.told is None or self._arguments.once):
                folder = self._arguments.config
                log.info("there is no ConfigMap: the pod's own configuration is followed")
                follower.want(own(folder / FETCH_FILE, folder / SERVING_FILE))
            else:
                log.warning("the ConfigMap is gone; what it said last still holds")
            return
        try:
            wanted = wanted_of(config_map)
        except Failure as failure:
            self._status.invalid = True
            if follower.wanted is None and (follower.told is None or self._arguments.once):
                raise
            log.error(failure.message, extra={"reason": failure.code.name})  # noqa: TRY400
            return
        self._status.invalid = False
        follower.want(wanted)
