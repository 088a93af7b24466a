"""Makes podresources_pb2.py and its types from podresources.proto; `--check` says whether they are current."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = "podresources.proto"
GENERATED = {
    "podresources_pb2.py": "E501, ERA001, I001, Q000, Q004",
    "podresources_pb2.pyi": "E501, I001, RUF023, UP007, UP045",
}
"""Each with the rules that it does not follow."""
HEADER = """\
# Generated from podresources.proto; do not edit.
# fmt: off
# mypy: ignore-errors
# ruff: noqa: {}
"""


def generate(target: Path) -> None:
    """Writes the generated modules below `target`."""
    protoc = [sys.executable, "-m", "grpc_tools.protoc"]
    subprocess.run([*protoc, f"-I{HERE}", f"--python_out={target}", f"--pyi_out={target}", SOURCE], check=True)
    for name, rules in GENERATED.items():
        path = target / name
        path.write_text(HEADER.format(rules) + path.read_text())


def is_current() -> bool:
    """Tells whether the committed modules are what the source makes."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        return all((HERE / name).read_text() == (Path(folder) / name).read_text() for name in GENERATED)


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(not is_current())
    generate(HERE)
