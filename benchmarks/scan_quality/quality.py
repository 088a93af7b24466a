"""Figures of a detector on labelled texts: by threshold, by rank, and whether its probabilities mean what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.scan_quality.corpora import Labelled
from sentinel_workloads.scan.detect import Detector

FLAGGED, QUARANTINED = 50, 70
_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Documents whose risk lies in one tenth of the scale."""

    documents: int
    said: float
    """Mean risk, as a share."""
    true: float
    """Share of attacks."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of labelled texts at the threshold of `flagged`; shares are 0 to 1."""

    accuracy: float
    precision: float
    recall: float
    quarantined_recall: float
    quarantined_precision: float
    auc: float
    calibration_error: float
    bins: tuple[Bin, ...]


def risks(detector: Detector, texts: Sequence[str]) -> list[int]:
    """Gives the risk of each text, two judged at a time."""
    with ThreadPoolExecutor(2) as pool:
        return [judgement.risk for judgement in pool.map(detector.judge, texts)]


def quality(texts: Sequence[Labelled], scores: Sequence[int]) -> Quality:
    """Gives the figures of scores against the truth."""
    truth = [text.attack for text in texts]
    bins = _bins(truth, scores)
    precision, recall = _precision_and_recall(truth, scores, FLAGGED)
    strict_precision, strict_recall = _precision_and_recall(truth, scores, QUARANTINED)
    return Quality(
        accuracy=sum((score >= FLAGGED) == attack for score, attack in zip(scores, truth, strict=True)) / len(truth),
        precision=precision,
        recall=recall,
        quarantined_recall=strict_recall,
        quarantined_precision=strict_precision,
        auc=_auc(truth, scores),
        calibration_error=sum(each.documents * abs(each.said - each.true) for each in bins) / len(truth),
        bins=bins,
    )


def recall(texts: Sequence[Labelled], scores: Sequence[int], threshold: int = FLAGGED) -> float:
    """Gives the share of the attacks whose score reaches the threshold."""
    return _precision_and_recall([text.attack for text in texts], scores, threshold)[1]


def recall_by_category(texts: Sequence[Labelled], scores: Sequence[int]) -> dict[str, tuple[int, float]]:
    """Gives how many attacks of each class there are, and the share that was flagged."""
    found: dict[str, list[bool]] = defaultdict(list)
    for text, score in zip(texts, scores, strict=True):
        if text.attack:
            found[text.category].append(score >= FLAGGED)
    return {name: (len(hits), sum(hits) / len(hits)) for name, hits in sorted(found.items())}


def share(scores: Sequence[int], threshold: int) -> float:
    """Gives the share of the scores that reach the threshold."""
    return sum(score >= threshold for score in scores) / len(scores)


def _precision_and_recall(truth: Sequence[bool], scores: Sequence[int], threshold: int) -> tuple[float, float]:
    hits = sum(attack for attack, score in zip(truth, scores, strict=True) if score >= threshold)
    named = sum(score >= threshold for score in scores)
    return hits / max(1, named), hits / max(1, sum(truth))


def _auc(truth: Sequence[bool], scores: Sequence[int]) -> float:
    """Gives the chance that an attack scores higher than a harmless text; a tie counts half."""
    below = [0] * 101
    attacks = [0] * 101
    for attack, score in zip(truth, scores, strict=True):
        (attacks if attack else below)[score] += 1
    won, lower = 0.0, 0
    for score in range(101):
        won += attacks[score] * (lower + below[score] / 2)
        lower += below[score]
    return won / max(1, sum(attacks) * lower)


def _bins(truth: Sequence[bool], scores: Sequence[int]) -> tuple[Bin, ...]:
    sorted_in: list[list[tuple[int, bool]]] = [[] for _ in range(_BINS)]
    for attack, score in zip(truth, scores, strict=True):
        sorted_in[min(_BINS - 1, score * _BINS // 100)].append((score, attack))
    return tuple(
        Bin(len(each), sum(score for score, _ in each) / 100 / len(each), sum(attack for _, attack in each) / len(each))
        for each in sorted_in
        if each
    )
