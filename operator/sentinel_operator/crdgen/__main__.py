"""`python -m sentinel_operator.crdgen [--check] [--into DIR] [--score FILE...]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import yaml

from sentinel_operator.crdgen.files import FOLDERS, files
from sentinel_operator.crdgen.hygiene import score

_ROOT = Path(__file__).resolve().parents[3]


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the generated files; with `--check` writes nothing and fails where one is not up to date."""
    parser = argparse.ArgumentParser(prog="python -m sentinel_operator.crdgen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is out of date")
    parser.add_argument("--into", type=Path, default=_ROOT, help="root of the tree (default: this checkout)")
    parser.add_argument("--score", type=Path, nargs="+", metavar="FILE", help="judge definitions, anybody's, and exit")
    options = parser.parse_args(arguments)
    if options.score:
        return _print_scores(options.score)
    wanted = files()
    stale = drift(options.into, wanted)
    if options.check:
        for path in stale:
            print(f"{path} is out of date: run `make crds`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        _write(options.into / path, wanted.get(path))
    return 0


def _print_scores(paths: Sequence[Path]) -> int:
    for path in paths:
        for crd in yaml.safe_load_all(path.read_text()):
            if crd and crd.get("kind") == "CustomResourceDefinition":
                points = score(crd)
                lacks = ", ".join(point for point, held in points.items() if not held) or "nothing"
                print(f"{crd['spec']['names']['kind']}\t{sum(points.values())}/{len(points)}\tlacks {lacks}")
    return 0


def drift(root: Path, wanted: Mapping[PurePosixPath, str]) -> list[PurePosixPath]:
    """Gives the files that are missing, that differ, and that nothing generates any more."""
    present = {
        PurePosixPath(path.relative_to(root).as_posix())
        for folder in FOLDERS
        for path in (root / folder).glob("*")
        if path.is_file()
    }
    differing = {path for path, text in wanted.items() if not _same(root / path, text)}
    return sorted(differing | (present - wanted.keys()))


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


if __name__ == "__main__":
    sys.exit(main())
