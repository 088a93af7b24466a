"""`python -m sentinel_workloads.model_server`: ends with an ExitCode and says why in the termination message."""

from __future__ import annotations

import logging
import os
import sys
import warnings

import uvloop

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.model_server.observe import logs
from sentinel_workloads.model_server.options import Options, parse
from sentinel_workloads.model_server.server import Server, read_config
from sentinel_workloads.model_server.unservable import Unservable, write_termination

LOG = logging.getLogger("sentinel_workloads.model_server")


async def serve(options: Options) -> None:
    """Serves until it is told to end."""
    config = read_config(options.config)
    logs.configure(options.log_level, model=config.name, namespace=config.namespace, revision=config.revision)
    await Server(config, options).run()


def main() -> int:
    """Gives the code to end with."""
    options = parse()
    logs.configure(options.log_level)
    # Numbers too large for their type are refused with the field's name; numpy's own words help nobody.
    warnings.filterwarnings("ignore", message="overflow encountered in cast", category=RuntimeWarning)
    try:
        uvloop.run(serve(options))
    except Unservable as error:
        LOG.error(error.message, extra={"reason": error.code.name, "field": error.field})  # noqa: TRY400
        write_termination(error)
        return error.code
    except Exception:
        LOG.critical("the server ended by a defect or for want of a port", exc_info=True)
        return 1
    return ExitCode.Ok


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # A run that hangs in a thread must not hold up the end: the interpreter would wait for it.
    os._exit(code)
