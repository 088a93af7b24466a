"""Judges texts: the same text and the same digest give the same judgement, bit for bit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Self

from sentinel_workloads.scan.detect import normalise, rulebook
from sentinel_workloads.scan.detect.classifier import Classifier, Likelihood
from sentinel_workloads.scan.detect.errors import DetectorError
from sentinel_workloads.scan.detect.features import evidence
from sentinel_workloads.scan.detect.finding import Judgement, Reason
from sentinel_workloads.scan.detect.matching import Evidence, Matcher, reasons
from sentinel_workloads.scan.detect.passage import passages
from sentinel_workloads.scan.detect.risk import combine, composite, heuristic

VERSION = "1.0.0"
"""Changes with what is made of the evidence."""


class Detector:
    """Rules, a classifier, or both. Keeps nothing of a text; threads may share one."""

    __slots__ = ("_book", "_classifier", "_heuristics", "_matcher", "digest")

    def __init__(self, *, heuristics: bool = True, classifier: Classifier | None = None) -> None:
        self._book = rulebook.load()
        self._matcher = Matcher(self._book)
        self._heuristics, self._classifier = heuristics, classifier
        facts = json.dumps(self.describe(), sort_keys=True, separators=(",", ":"))
        self.digest = f"sha256:{hashlib.sha256(facts.encode()).hexdigest()}"

    @classmethod
    def open(
        cls,
        *,
        embedding: Path | None = None,
        classifier: Path | None = None,
        heuristics: bool = True,
        threads: int = 1,
    ) -> Self:
        """Opens the models in these folders; raises DetectorError naming the one that cannot be used.

        The classifier reads embeddings: one without the other is refused, as is a detector that detects nothing.
        """
        if embedding is None and classifier is None:
            if not heuristics:
                raise DetectorError("heuristics", "nothing is left to judge by")
            return cls()
        if embedding is None:
            raise DetectorError("embedding", "the classifier needs it")
        if classifier is None:
            raise DetectorError("classifier", "an embedding says nothing without it")
        models = Classifier.open(embedding=embedding, classifier=classifier, threads=threads)
        return cls(heuristics=heuristics, classifier=models)

    def describe(self) -> dict[str, Any]:
        """Gives what the judgements rest on; the digest is over exactly this."""
        return {
            "version": VERSION,
            "heuristics": self._heuristics,
            "normaliser": {"version": normalise.VERSION, "digest": f"sha256:{normalise.digest()}"},
            "rules": {
                "version": rulebook.VERSION,
                "count": len(self._book.rules),
                "digest": f"sha256:{self._book.digest}",
            },
            "models": self._classifier.describe() if self._classifier else {},
        }

    def judge(self, text: str) -> Judgement:
        """Gives the risk of a text and the reasons."""
        found: dict[str, Evidence] = {}
        choice = self._classifier.choice() if self._classifier else None
        fingerprint = normalise.Fingerprint()
        for passage in passages(text):
            fingerprint.add(passage.normalised.text)
            if self._heuristics:
                self._matcher.match(passage, found)
            if choice is not None:
                choice.add(passage)
        named = reasons(self._book, found)
        named += composite(named)
        likelihood = self._classifier.likelihood(choice, evidence(named)) if self._classifier and choice else None
        return _judgement(named, likelihood, fingerprint=fingerprint.hex())


def _judgement(named: tuple[Reason, ...], likelihood: Likelihood | None, *, fingerprint: str) -> Judgement:
    weight = heuristic(named)
    probability = None if likelihood is None else likelihood.probability
    every = (*named, *(likelihood.reasons() if likelihood else ()))
    return Judgement(
        risk=round(100 * combine(weight, probability)),
        reasons=tuple(sorted(every, key=lambda reason: (-reason.weight, reason.rule))),
        heuristic=weight,
        embedding=probability,
        fingerprint=fingerprint,
    )
