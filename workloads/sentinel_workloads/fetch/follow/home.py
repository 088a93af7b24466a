"""The pod's volume: a folder for each revision, and the instruction for the server.

<out>/revisions/<revision>/…             as fetch leaves it (handover.py): artifact/, verified.json last
<out>/revisions/<revision>/failed.json   why there is none
<out>/trust/<revision>/…                 keys and certificates that came with the revision: public, and the same path in
                                         every container, since a copy counts as verified under the paths it names
<out>/active.json                        the instruction, replaced by rename

Whatever is killed between two writes leaves either what was before or what is after: a folder without verified.json is
fetched anew, the instruction names only what was verified when it was written, and folders go after the instruction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from sentinel_operator.api.active import ACTIVE_FILE, FAILED, REVISIONS, Instruction, RevisionConfig
from sentinel_operator.api.serving import (
    ARTIFACT,
    CONFIG_DIR,
    Authority,
    FetchConfig,
    ScanRequirement,
    ServingConfig,
    Termination,
)
from sentinel_workloads.fetch.handover import remove
from sentinel_workloads.fetch.transfer import disk_failure

log = logging.getLogger(__name__)
PART = ".part"
TRUST = "trust"


class Home:
    """Owns the folder `out`."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def folder(self, revision: str) -> Path:
        """Where a revision lies."""
        return self._out / REVISIONS / revision

    def serving(self, config: RevisionConfig) -> ServingConfig:
        """The revision's configuration for a server in this pod."""
        folder = self.folder(config.serving.revision) / ARTIFACT
        return config.serving.model_copy(update={"model_dir": str(folder)})

    def fetching(self, config: RevisionConfig) -> FetchConfig:
        """The revision's configuration for a fetch in this pod: trust material that came with it is written here, and
        what it names below the configuration's folder is read from there."""
        folder = self._out / TRUST / config.serving.revision
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in config.trust.items():
            if Path(name).name == name:
                (folder / name).write_text(content, encoding="utf-8")
        fetch, given = config.fetch, frozenset(config.trust)
        store = fetch.object_store
        return fetch.model_copy(
            update={
                "authorities": tuple(_moved(each, folder, given) for each in fetch.authorities),
                "object_store": store.model_copy(update={"ca_file": _path(store.ca_file, folder, given)}),
                "require_scan": _moved_scan(fetch.require_scan, folder, given),
            }
        )

    def tell(self, instruction: Instruction) -> bool:
        """Replaces the instruction; false when it says what was said already."""
        text = instruction.model_dump_json(by_alias=True)
        target = self._out / ACTIVE_FILE
        if target.exists() and target.read_text(encoding="utf-8") == text:
            return False
        _write(target, text)
        return True

    def told(self) -> Instruction | None:
        """The instruction that an earlier run left, if there is one that can be read."""
        try:
            return Instruction.model_validate_json((self._out / ACTIVE_FILE).read_bytes())
        except (OSError, ValidationError):
            return None

    def fail(self, revision: str, failure: Termination) -> None:
        """Leaves why a revision is not there."""
        folder = self.folder(revision)
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / FAILED, failure.model_dump_json(by_alias=True, exclude_none=True))

    def begin(self, revision: str) -> None:
        """Forgets an earlier failure."""
        (self.folder(revision) / FAILED).unlink(missing_ok=True)

    def keep_only(self, revisions: Iterable[str]) -> list[str]:
        """Removes the folders of all others, and gives their names."""
        named = frozenset(revisions)
        gone: list[str] = []
        for root in (self._out / REVISIONS, self._out / TRUST):
            others = [folder for folder in (root.iterdir() if root.is_dir() else ()) if folder.name not in named]
            gone.extend(folder.name for folder in others if _removed(folder))
        return sorted(set(gone))


def _removed(folder: Path) -> bool:
    try:
        remove(folder)
    except OSError as error:  # A fetch that was cancelled still writes there; the next step removes it.
        log.warning("not removed yet", extra={"folder": str(folder), "fault": str(error)})
        return False
    return True


def _moved(authority: Authority, folder: Path, given: frozenset[str]) -> Authority:
    for field in ("public_key_file", "chain_file", "trust_root_file"):
        if (path := getattr(authority, field, None)) is not None:
            return authority.model_copy(update={field: _path(path, folder, given)})
    return authority


def _moved_scan(required: ScanRequirement | None, folder: Path, given: frozenset[str]) -> ScanRequirement | None:
    if required is None:
        return None
    store = required.object_store
    return required.model_copy(
        update={
            "authorities": tuple(_moved(each, folder, given) for each in required.authorities),
            "object_store": store.model_copy(update={"ca_file": _path(store.ca_file, folder, given)}),
        }
    )


def _path(path: str, folder: Path, given: frozenset[str]) -> str:
    file = Path(path)
    return str(folder / file.name) if file.name in given and str(file.parent) == CONFIG_DIR else path


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + PART)
    try:
        part.write_text(text, encoding="utf-8")
        part.chmod(0o444)
        part.rename(path)
    except OSError as error:
        raise disk_failure(error, what=path.name, field="spec.pod") from error
