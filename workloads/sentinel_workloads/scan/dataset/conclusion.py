"""The verdicts on a dataset as they stand when everything is known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from sentinel_operator.api.scanning import Counts, ResultLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found in the dataset as a whole."""

    flipped_groups: int = 0
    """Texts that bear different labels."""
    flipped_documents: int = 0
    """Documents that were quarantined for it."""
    duplicate_groups: int = 0
    """Texts that occur more than once, disguise aside."""
    duplicate_documents: int = 0
    """Their occurrences beyond the first."""
    unknown_objects: int = 0
    """Objects that the provenance file does not know, or knows with another digest."""
    absent_objects: int = 0
    """Objects of the provenance file that are not in the dataset."""
    examples: tuple[str, ...] = ()
    """A few of the objects that the last two count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """Everything that a report is made of. Nothing in it has the size of the dataset but `lines()` and files."""

    counts: Counts
    """Final, with what was found in the dataset as a whole."""
    shards: int
    objects: int
    bytes: int
    """Of all objects as they were planned."""
    unread: tuple[int, tuple[str, ...]]
    """Objects that could not be read whole, in number and the first few: they changed or vanished meanwhile."""
    dataset_digest: str
    """sha256:… over the lines `<sha256>  <object>`; an object that could not be read whole counts as 64 zeros, with
    which no dataset has the digest."""
    detector: str
    """Digest of the one detector that judged; empty without documents."""
    findings: Findings
    objects_file: Path
    """An ObjectLine an object, in byte order of the keys, with its sha256."""
    clean_file: Path | None
    """A CleanLine an object of which a document is allowed, in the same order."""
    clean_digest: str
    """sha256:… of that file."""
    allowed: int
    """Documents that it allows."""
    lines: Callable[[], AsyncIterator[ResultLine]]
    """Every result in global order with its final verdict: each call streams anew, and gives the same."""
