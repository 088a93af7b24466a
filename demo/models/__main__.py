"""Command line of the demo's models."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from demo.models import injection, qos, scan_classifier, scan_embedding
from demo.models.build import build, recipes
from demo.models.digest import directory_digest

NAMES = (qos.NAME, injection.NAME, scan_embedding.NAME, scan_classifier.NAME)


def main() -> int:
    """Runs one command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.models", description="Makes the demo's signed models.")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("build", help="make, sign and index the models")
    make.add_argument("--out", type=Path, required=True, help="folder for the artifacts, samples, keys and index.json")
    make.add_argument("--keys", type=Path, help="folder with signing.key (default: OUT/keys, made when missing)")
    make.add_argument("--model", choices=NAMES, help="only this model")
    make.add_argument(
        "--variant",
        action="append",
        default=[],
        choices=tuple(qos.VARIANTS),
        help=f"version of {qos.NAME}; may be repeated (default: {', '.join(v.version for v in qos.GOOD)})",
    )
    digest = commands.add_parser("digest", help="print a directory's canonical digest")
    digest.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "digest":
        print(directory_digest(arguments.directory))
        return 0
    wanted = [r for r in recipes(arguments.variant) if arguments.model in (None, r.name)]
    build(arguments.out, wanted=wanted, keys=arguments.keys, say=lambda line: print(line, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
