"""`python -m sentinel_faultkit`: build the fake NVML, and tell its GPUs what to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sentinel_faultkit.faultfile import ENVIRONMENT, THROTTLES, FaultFile
from sentinel_faultkit.library import BuildError, build

_EPILOG = f"""\
examples:
  python -m sentinel_faultkit build                         prints the folder for LD_LIBRARY_PATH
  python -m sentinel_faultkit create gpus.ini --gpus 8
  python -m sentinel_faultkit set gpus.ini "gpu 0" utilization=90 power=310
  python -m sentinel_faultkit set gpus.ini "process 0 4242" memory=2048 utilization=30
  python -m sentinel_faultkit throttle gpus.ini 0 hw-thermal
  python -m sentinel_faultkit xid gpus.ini 0 79
  python -m sentinel_faultkit set gpus.ini "gpu 0" lost=yes
  python -m sentinel_faultkit remove gpus.ini "gpu 0"
  python -m sentinel_faultkit set gpus.ini driver loaded=no
  python -m sentinel_faultkit set gpus.ini driver hang=nvmlDeviceGetPowerUsage

The library reads the file that {ENVIRONMENT} names, anew at each call.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the arguments say; gives the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _do(options)
    except BuildError as error:
        print(f"python -m sentinel_faultkit: {error}", file=sys.stderr)
        return 1


def _do(options: argparse.Namespace) -> int:
    if options.verb == "build":
        print(build(without=options.without))
        return 0
    file = FaultFile(options.file)
    match options.verb:
        case "create":
            file.create(gpus=options.gpus, name=options.name, memory=options.memory)
        case "set":
            file.set(options.section, **dict(pair.split("=", 1) for pair in options.values))
        case "remove":
            file.remove(options.section)
        case "throttle":
            file.throttle(options.gpu, *options.reasons)
        case _:  # xid
            print(file.xid(options.gpu, options.code))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sentinel_faultkit",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    built = verbs.add_parser("build", help="compile the library where it has changed, and print its folder")
    built.add_argument("--without", action="append", default=[], metavar="FUNCTION", help="leave a function out")
    create = _verb(verbs, "create", "begin a file with healthy GPUs")
    create.add_argument("--gpus", type=int, default=1)
    create.add_argument("--name", default="NVIDIA H100 80GB HBM3")
    create.add_argument("--memory", type=int, default=81559, help="MiB")
    changed = _verb(verbs, "set", "set keys of a section")
    changed.add_argument("section")
    changed.add_argument("values", nargs="+", metavar="KEY=VALUE", type=_pair)
    _verb(verbs, "remove", "remove a section, a GPU that vanishes for one").add_argument("section")
    throttled = _verb(verbs, "throttle", "set why a GPU is slowed down; no reason ends it")
    throttled.add_argument("gpu", type=int)
    throttled.add_argument("reasons", nargs="*", choices=[*THROTTLES, []])
    xid = _verb(verbs, "xid", "make an Xid befall a GPU")
    xid.add_argument("gpu", type=int)
    xid.add_argument("code", type=int)
    return parser


def _verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text)
    verb.add_argument("file", type=Path)
    return verb


def _pair(text: str) -> str:
    if "=" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return text


if __name__ == "__main__":
    sys.exit(main())
