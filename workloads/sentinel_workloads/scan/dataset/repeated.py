"""Texts that occur more than once, disguise aside, and those of them that bear different labels."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from sentinel_operator.api.scanning import ResultLine
from sentinel_workloads.scan.spill import Record, Sorter

_ORDINAL = struct.Struct(">Q")
_LABEL_BYTES = 8
_UNLABELLED = bytes(_LABEL_BYTES)


@dataclass(slots=True)
class Repeated:
    """How much of it there is."""

    groups: int = 0
    documents: int = 0
    flipped_groups: int = 0
    flipped_documents: int = 0


class Texts:
    """Every text with its label and its place in the order of the results. On the disk, not in memory."""

    def __init__(self) -> None:
        self._texts = Sorter()

    def add(self, ordinal: int, line: ResultLine) -> None:
        """Takes a document; one without a fingerprint is like no other."""
        if line.fingerprint:
            self._texts.add(bytes.fromhex(line.fingerprint), _label(line.label) + _ORDINAL.pack(ordinal))

    def flipped(self, found: Repeated) -> Sorter:
        """The places of the documents whose label is not the one that most of the same text bear, in order; counts
        them. Where no label has more than half, none of them can be believed."""
        places = Sorter()
        # A text may repeat more often than memory holds: it is gone through twice, once to count its labels.
        for (_, counted), (_, rows) in zip(self._groups(), self._groups(), strict=True):
            labels = Counter(value[:_LABEL_BYTES] for _, value in counted)
            if (count := labels.total()) > 1:
                found.groups += 1
                found.documents += count - 1
            del labels[_UNLABELLED]
            if len(labels) < 2:
                continue
            found.flipped_groups += 1
            believed = {_UNLABELLED, *(label for label, count in labels.items() if 2 * count > labels.total())}
            for _, value in rows:
                if value[:_LABEL_BYTES] not in believed:
                    places.add(value[_LABEL_BYTES:])
                    found.flipped_documents += 1
        return places

    def _groups(self) -> Iterator[tuple[bytes, Iterator[Record]]]:
        return groupby(self._texts, key=_text)


def place_of(record: Record) -> int:
    """The place that a record stands for."""
    ordinal: int = _ORDINAL.unpack(record[0])[0]
    return ordinal


def _text(record: Record) -> bytes:
    return record[0]


def _label(label: str) -> bytes:
    return hashlib.sha256(label.encode()).digest()[:_LABEL_BYTES] if label else _UNLABELLED
