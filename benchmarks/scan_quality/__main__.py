"""`python -m benchmarks.scan_quality`: the scan's detector, as it ships, on texts that it was not trained on."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.gates import report
from benchmarks.scan_quality import corpora
from benchmarks.scan_quality.corpora import Labelled
from benchmarks.scan_quality.disguises import DISGUISES
from benchmarks.scan_quality.quality import (
    FLAGGED,
    QUARANTINED,
    Quality,
    quality,
    recall,
    recall_by_category,
    risks,
    share,
)
from demo.models import scan_classifier, scan_embedding
from demo.models.build import build
from sentinel_workloads.scan.detect import Detector

CONSOLE = Console(width=110)
WITHIN = (300, 600)
"""Sizes of the documents that an attack is put into."""
BENIGN: dict[str, Callable[[int], list[str]]] = {
    "standard library, code": corpora.standard_library,
    "standard library, documentation": corpora.standard_library_documentation,
    "Debian copyright files": corpora.copyright_files,
    "documentation of packages": corpora.documentation,
}


def open_detector(folder: Path, *, heuristics: bool = True, models: bool = True) -> Detector:
    """Gives the detector with the models that `python -m demo.models build` makes."""
    if not models:
        return Detector.open()
    index = build(folder, wanted=[scan_embedding.recipe(), scan_classifier.recipe()])
    embedding, classifier = (
        folder / index.entry(each.NAME, each.VERSION).path for each in (scan_embedding, scan_classifier)
    )
    return Detector.open(embedding=embedding, classifier=classifier, heuristics=heuristics)


def labelled_figures(detector: Detector) -> dict[str, float]:
    """Measures the labelled test splits, prints the tables and gives the figures."""
    slabs, neural, foreign = corpora.s_labs(), corpora.neuralchemy(), corpora.in_seven_languages()
    scores = _scores(detector, slabs)
    measured = {"S-Labs test": quality(slabs, scores)}
    neural_scores = _scores(detector, neural)
    measured["neuralchemy test"] = quality(neural, neural_scores)
    _show_quality(measured)
    _show_reliability(measured["S-Labs test"])
    foreign_scores = _scores(detector, foreign)
    _show_classes(
        {
            **recall_by_category(neural, neural_scores),
            "in seven languages": (len(foreign), recall(foreign, foreign_scores)),
        }
    )
    first = measured["S-Labs test"]
    return {
        "S-Labs test: accuracy": first.accuracy,
        "S-Labs test: precision": first.precision,
        "S-Labs test: recall": first.recall,
        "S-Labs test: ROC-AUC": first.auc,
        "S-Labs test: calibration error": first.calibration_error,
        "neuralchemy test: accuracy": measured["neuralchemy test"].accuracy,
        "attacks in seven languages: recall": recall(foreign, foreign_scores),
        **_within_documents(detector, [text for text in slabs if text.attack]),
        **_disguised(detector, slabs, plain=scores),
    }


def _within_documents(detector: Detector, attacks: list[Labelled]) -> dict[str, float]:
    """Gives how many attacks are still found as one sentence of a document."""
    table = _table(
        "S-Labs test, a sentence within documentation", "code points around it", "recall", f"at {QUARANTINED}"
    )
    figures = {}
    for size in WITHIN:
        texts = corpora.within_documents(attacks[::4], size)
        scores = _scores(detector, texts)
        figures[f"within {size} code points: recall"] = recall(texts, scores)
        table.add_row(str(size), f"{recall(texts, scores):.3f}", f"{recall(texts, scores, QUARANTINED):.3f}")
    CONSOLE.print(table)
    return figures


def _disguised(detector: Detector, texts: Sequence[Labelled], *, plain: Sequence[int]) -> dict[str, float]:
    """Gives what each disguise costs in recall, in points."""
    variants = {
        name: [Labelled(disguise(text.text), text.attack) for text in texts] for name, disguise in DISGUISES.items()
    }
    variants["Portuguese"] = corpora.s_labs_in_portuguese()
    table = _table(
        "S-Labs test, disguised", "disguise", "accuracy", "recall", f"recall at {QUARANTINED}", "lost, points"
    )
    usual, figures = recall(texts, plain), {}
    for name, disguised in variants.items():
        scores = _scores(detector, disguised)
        found = quality(disguised, scores)
        lost = 100 * (usual - found.recall)
        figures[f"recall lost, points: {name}"] = lost
        table.add_row(
            name, f"{found.accuracy:.3f}", f"{found.recall:.3f}", f"{found.quarantined_recall:.3f}", f"{lost:+.1f}"
        )
    CONSOLE.print(table)
    return figures


def benign_figures(detector: Detector, most: int) -> dict[str, float]:
    """Measures real text without attacks, prints the table and gives the figures."""
    table = _table("harmless text", "corpus", "documents", "Elevated, %", "Quarantined, %", "documents/s")
    figures = {}
    for name, read in BENIGN.items():
        texts = read(most)
        if not texts:
            continue
        started = time.perf_counter()
        scores = risks(detector, texts)
        rate = len(texts) / (time.perf_counter() - started)
        quarantined = 100 * share(scores, QUARANTINED)
        elevated = 100 * share(scores, FLAGGED) - quarantined
        figures[f"quarantined, %: {name}"] = quarantined
        table.add_row(name, f"{len(texts):,}", f"{elevated:.2f}", f"{quarantined:.2f}", f"{rate:,.0f}")
    CONSOLE.print(table)
    return figures


def _scores(detector: Detector, texts: Sequence[Labelled]) -> list[int]:
    return risks(detector, [text.text for text in texts])


def _show_quality(measured: Mapping[str, Quality]) -> None:
    columns = (
        "accuracy",
        "precision",
        "recall",
        f"precision at {QUARANTINED}",
        f"recall at {QUARANTINED}",
        "ROC-AUC",
        "ECE",
    )
    table = _table(f"labelled texts, flagged from {FLAGGED} on", "split", *columns)
    for name, each in measured.items():
        values = (
            each.accuracy,
            each.precision,
            each.recall,
            each.quarantined_precision,
            each.quarantined_recall,
            each.auc,
            each.calibration_error,
        )
        table.add_row(name, *(f"{value:.3f}" for value in values))
    CONSOLE.print(table)


def _show_reliability(measured: Quality) -> None:
    table = _table("S-Labs test: what a risk means", "documents", "mean risk", "attacks among them")
    for each in measured.bins:
        table.add_row(f"{each.documents:,}", f"{100 * each.said:.0f}", f"{100 * each.true:.0f} %")
    CONSOLE.print(table)


def _show_classes(found: Mapping[str, tuple[int, float]]) -> None:
    table = _table("recall by class of attack", "class", "attacks", "recall")
    for name, (count, value) in found.items():
        table.add_row(name, str(count), f"{value:.3f}")
    CONSOLE.print(table)


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2))
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def main() -> int:
    """Gives 0 when every gate holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan_quality", description=__doc__)
    parser.add_argument("--most", type=int, default=1500, help="documents of each harmless corpus")
    parser.add_argument("--rules-only", action="store_true", help="without models; checks no gate")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        detector = open_detector(Path(folder), models=not arguments.rules_only)
        figures = {**labelled_figures(detector), **benign_figures(detector, arguments.most)}
    if arguments.rules_only:
        CONSOLE.print(figures)
        return 0
    return 0 if report("scan_quality", figures) else 1


if __name__ == "__main__":
    sys.exit(main())
