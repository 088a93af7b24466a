"""Flags of the command; in a pod none is needed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sentinel_operator.api.active import ACTIVE_FILE
from sentinel_operator.api.serving import CONFIG_DIR, GRPC_PORT, HTTP_PORT, METRICS_PORT, MODEL_DIR, SERVING_FILE


@dataclass(frozen=True, slots=True)
class Options:
    """Where the revision is described, and where to listen. Port 0 is any free one; the log says which."""

    config: Path
    host: str
    http_port: int
    grpc_port: int
    metrics_port: int
    log_level: str
    follow: Path | None = None
    """The instruction to follow, where revisions can be swapped."""


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Reads the flags."""
    parser = argparse.ArgumentParser(prog="python -m sentinel_workloads.model_server", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path(CONFIG_DIR) / SERVING_FILE)
    parser.add_argument("--host", default="", help="address to listen on (default: all, IPv4 and IPv6)")
    parser.add_argument("--http-port", type=int, default=HTTP_PORT)
    parser.add_argument("--grpc-port", type=int, default=GRPC_PORT)
    parser.add_argument("--metrics-port", type=int, default=METRICS_PORT)
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    parser.add_argument(
        "--follow",
        type=Path,
        nargs="?",
        const=Path(MODEL_DIR) / ACTIVE_FILE,
        metavar="FILE",
        help="serve and swap the revisions that the sidecar's instruction names, in place of the configuration's own",
    )
    return Options(**vars(parser.parse_args(arguments)))
