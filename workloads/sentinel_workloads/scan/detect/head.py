"""The trained classifier: from a window's words, embedding and rules to a calibrated probability of an attack."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sentinel_workloads.scan.detect.embedding import METADATA, describe
from sentinel_workloads.scan.detect.errors import DetectorError
from sentinel_workloads.scan.detect.features import word_weight, words

FIELD = "classifier"
HEAD = "head.json"
_DECIMALS = 4
"""Of a probability: what differs between processors lies far below."""


class Head:
    """A linear model over words, embedding and rules, then Platt's calibration. Threads may share it."""

    __slots__ = ("_bias", "_embedding", "_rules", "_scale", "_shift", "_words", "describe")

    def __init__(self, raw: Mapping[str, Any], described: dict[str, Any]) -> None:
        self._words = {str(word): float(weight) for word, weight in raw["words"].items()}
        self._rules = {str(attack): float(weight) for attack, weight in raw["rules"].items()}
        self._embedding = np.asarray(raw["embedding"], np.float64)
        self._bias = float(raw["bias"])
        self._scale, self._shift = float(raw["calibration"]["scale"]), float(raw["calibration"]["shift"])
        self.describe = described

    @classmethod
    def open(cls, folder: Path, *, width: int) -> Self:
        """Opens head.json and metadata.json; raises DetectorError when they are no head for embeddings so wide."""
        described = describe(folder, (HEAD, METADATA), field=FIELD)
        try:
            head = cls(json.loads((folder / HEAD).read_text(encoding="utf-8")), described)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DetectorError(FIELD, f"{HEAD} cannot be read: {error}") from None
        if head._embedding.shape != (width,):
            raise DetectorError(FIELD, f"{HEAD} is for embeddings of {head._embedding.shape}, not ({width},)")
        return head

    def lexical(self, text: str) -> float:
        """Gives the words' part of the logit: cheap, and enough to tell which windows of a long text to read."""
        found = words(text)
        return word_weight(len(found)) * math.fsum(self._words.get(word, 0.0) for word in found)

    def logit(self, lexical: float, embedding: NDArray[np.float32], evidence: Mapping[str, float]) -> float:
        """Gives the uncalibrated logit of a window."""
        meaning = float(np.dot(embedding.astype(np.float64), self._embedding))
        rules = math.fsum(self._rules.get(attack, 0.0) * weight for attack, weight in evidence.items())
        return self._bias + lexical + meaning + rules

    def probability(self, logit: float) -> float:
        """Gives the calibrated probability."""
        value = self._scale * logit + self._shift
        return round(1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, value)))), _DECIMALS)
