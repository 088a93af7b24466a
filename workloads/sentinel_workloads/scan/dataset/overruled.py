"""Verdicts as they stand once the whole dataset is known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from sentinel_operator.api.scanning import Footer, ReasonLine, ResultLine, Thresholds
from sentinel_workloads.scan.dataset.repeated import place_of
from sentinel_workloads.scan.results import results
from sentinel_workloads.scan.spill import Sorter
from sentinel_workloads.scan.store import ObjectStore

FLIPPED = ReasonLine(
    rule="dataset/label-flip",
    attack="label-flip",
    weight=1.0,
    message="the same text stands elsewhere in the dataset under another label",
)
UNKNOWN = ReasonLine(
    rule="dataset/provenance",
    attack="provenance",
    weight=1.0,
    message="the provenance file does not know the object, or knows it with another digest",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overruled:
    """The results with what the whole dataset has shown; each call of `lines` streams anew, and gives the same."""

    output: ObjectStore
    shards: int
    thresholds: Thresholds
    flipped: Sorter
    """Places of documents in the order of the results."""
    unknown: Path
    """Keys of objects, a line each in hexadecimal, in the order of the results."""

    async def lines(self) -> AsyncIterator[ResultLine]:
        """Every result in global order."""
        ordinal, flipped = 0, map(place_of, self.flipped)
        next_flipped = next(flipped, -1)
        with self.unknown.open("rb") as file:
            unknown = _Keys(file)
            async for line in results(self.output, shards=self.shards):
                if isinstance(line, Footer):
                    continue
                reasons = []
                if ordinal == next_flipped:
                    reasons.append(FLIPPED)
                    next_flipped = next(flipped, -1)
                if unknown.has(line.object):
                    reasons.append(UNKNOWN)
                ordinal += 1
                yield _quarantined(line, reasons, self.thresholds) if reasons else line


class _Keys:
    """Keys in byte order, asked for in that order, each as often as it is."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._next = self._read()

    def has(self, key: str) -> bool:
        raw = key.encode()
        while self._next is not None and self._next < raw:
            self._next = self._read()
        return self._next == raw

    def _read(self) -> bytes | None:
        line = next(self._lines, None)
        return bytes.fromhex(line.decode().strip()) if line is not None else None


def _quarantined(line: ResultLine, reasons: list[ReasonLine], thresholds: Thresholds) -> ResultLine:
    """What could not be judged stays an Error; what was quarantined before has one reason more."""
    verdict = "Error" if line.verdict == "Error" else "Quarantined"
    risk = max(line.risk, thresholds.quarantine)
    return line.model_copy(update={"verdict": verdict, "risk": risk, "reasons": (*line.reasons, *reasons)})
