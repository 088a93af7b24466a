"""Compares what was signed with what lies here: the whole set of files, no more, no fewer, none changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sentinel_workloads.fetch.artifact import HashedFile

SHOWN = 3
# What model-signing leaves out of every signature, at the root of the model only.
IGNORED_NAMES = {".gitattributes", ".gitignore"}
IGNORED_FOLDERS = (".git/", ".github/")


def difference(signed: Mapping[str, str], files: tuple[HashedFile, ...], *, single: bool) -> str:
    """Why the copy is not what was signed; empty when it is.

    What the signer chose to leave out counts as extra: it was not signed, so anyone may have put it there.
    """
    copy = {file.path: file.sha256 for file in files}
    if single and set(signed) == {"."}:
        signed = dict.fromkeys(copy, signed["."])
    extra = sorted(path for path in copy if path not in signed and not _left_out(path))
    missing = sorted(path for path in signed if path not in copy)
    changed = sorted(path for path, digest in copy.items() if signed.get(path, digest) != digest)
    found = [
        f"{what}: {_some(paths)}"
        for what, paths in (("not signed", extra), ("missing", missing), ("changed since signed", changed))
        if paths
    ]
    return "; ".join(found)


def _left_out(path: str) -> bool:
    return path in IGNORED_NAMES or path.startswith(IGNORED_FOLDERS)


def _some(paths: Iterable[str]) -> str:
    listed = list(paths)
    return ", ".join(listed[:SHOWN]) + (f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else "")
