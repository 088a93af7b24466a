"""`python -m protobufs`: makes NAME_pb2.py and its types beside every NAME.proto; `--check` writes nothing."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("operator", "workloads", "agent")
_HEADER = """\
# Generated from {}; do not edit.
# mypy: ignore-errors
"""


def sources() -> list[Path]:
    """Gives every .proto file."""
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.proto"))


def generated(source: Path) -> dict[Path, str]:
    """Gives what belongs beside a source, by path."""
    with tempfile.TemporaryDirectory() as target:
        protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{source.parent}"]
        subprocess.run([*protoc, f"--python_out={target}", f"--pyi_out={target}", source.name], check=True)
        return {
            source.with_name(made.name): _HEADER.format(source.name) + made.read_text()
            for made in sorted(Path(target).iterdir())
        }


def main() -> int:
    """Writes what is not current, or names it."""
    parser = argparse.ArgumentParser(prog="python -m protobufs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where something is not current")
    options = parser.parse_args()
    stale = [
        (path, text)
        for source in sources()
        for path, text in generated(source).items()
        if not path.exists() or path.read_text() != text
    ]
    for path, text in stale:
        print(f"{path.relative_to(ROOT)} is {'not current' if options.check else 'made anew'}")
        if not options.check:
            path.write_text(text)
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
