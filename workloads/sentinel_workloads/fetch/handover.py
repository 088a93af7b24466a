"""The folder that the server reads: either a whole, verified artifact with its verdict, or nothing.

<out>/artifact/       the copy, read-only
<out>/signature       of a single file
<out>/fetched.json    what the copy was made from, for a container that starts again
<out>/verified.json   written last, by rename: the server starts from nothing else
<out>/.incoming/      not verified yet
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pydantic import ValidationError

from sentinel_operator.api.base import Model
from sentinel_operator.api.serving import ARTIFACT, VERIFIED, Verification
from sentinel_workloads.fetch.transfer import disk_failure
from sentinel_workloads.fetch.verify import Copy, still_is

INCOMING = ".incoming"
FETCHED = "fetched.json"
SIGNATURE = "signature"
PART = ".part"
OURS = (VERIFIED, FETCHED, ARTIFACT, SIGNATURE, INCOMING, VERIFIED + PART, FETCHED + PART)
OUT_FIELD = "spec.pod"


class Fetched(Model):
    """How a finished copy came to be."""

    fingerprint: str
    single: str = ""


class Handover:
    """Owns the folder for the time of one fetch."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self.signature = out / SIGNATURE
        self.incoming = out / INCOMING

    def finished(self, fingerprint: str) -> Verification | None:
        """The verdict of an earlier run of the same configuration, if its copy is still what was verified."""
        try:
            fetched = Fetched.model_validate_json((self._out / FETCHED).read_bytes())
            verification = Verification.model_validate_json((self._out / VERIFIED).read_bytes())
        except (OSError, ValidationError):
            return None
        copy = Copy.of(self._out / ARTIFACT, single=fetched.single, beside=self.signature)
        if fetched.fingerprint != fingerprint or not still_is(copy, verification.digest):
            return None
        return verification

    def clear(self) -> None:
        """Removes what an earlier run left, the verdict first, and makes the folder for what comes."""
        try:
            self._out.mkdir(parents=True, exist_ok=True)
            for name in OURS:
                remove(self._out / name)
            self.incoming.mkdir()
        except OSError as error:
            raise disk_failure(error, what=str(self._out), field=OUT_FIELD) from error

    def copy(self, *, single: str) -> Copy:
        """What lies in the incoming folder."""
        return Copy.of(self.incoming, single=single, beside=self.signature)

    def publish(self, copy: Copy, verification: Verification, *, fingerprint: str) -> Copy:
        """Hands the verified copy over."""
        try:
            protect(copy.folder)
            if self.signature.exists():
                self.signature.chmod(0o444)
            target = self._out / ARTIFACT
            copy.folder.rename(target)
            fetched = Fetched(fingerprint=fingerprint, single=copy.single)
            _write_whole(self._out / FETCHED, fetched.model_dump_json(by_alias=True))
            _write_whole(self._out / VERIFIED, verification.model_dump_json(by_alias=True))
        except OSError as error:
            raise disk_failure(error, what=str(self._out), field=OUT_FIELD) from error
        return Copy.of(target, single=copy.single, beside=self.signature)

    def discard(self) -> None:
        """Leaves nothing of an unfinished fetch."""
        if not (self._out / VERIFIED).exists():
            for name in OURS:
                remove(self._out / name)


def protect(folder: Path) -> None:
    """Makes every file 0444 and every folder 0555."""
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            (Path(parent) / name).chmod(0o444)
        Path(parent).chmod(0o555)


def remove(path: Path) -> None:
    """Removes a file or a folder, protected or not, if it is there."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for parent, _, _ in os.walk(path):
        Path(parent).chmod(0o755)
    shutil.rmtree(path)


def _write_whole(path: Path, content: str) -> None:
    part = path.with_name(path.name + PART)
    part.write_text(content, encoding="utf-8")
    part.chmod(0o444)
    part.rename(path)
