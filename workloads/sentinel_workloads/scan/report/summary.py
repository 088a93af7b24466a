"""Sums up the results of a scan in one pass. What it holds is bounded, however many documents there are."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from dataclasses import asdict, dataclass, field

from sentinel_operator.api.scanning import Counts, ResultLine, Verdict
from sentinel_workloads.scan.report.document import AttackClass, Finding, ObjectSummary, RuleUse

MAX_WORST, MAX_OBJECTS, MAX_NAMES = 1000, 1000, 500
OTHER = "other"
# What could not be judged is not known to be harmless: it comes before what was judged and found only elevated.
_ORDER: dict[Verdict, int] = {"Quarantined": 3, "Error": 2, "Elevated": 1, "Clean": 0}


@dataclass(slots=True)
class Worst:
    """The documents that a person should see first, the worst on top."""

    limit: int = MAX_WORST
    left_out: int = 0
    _heap: list[tuple[tuple[int, int, int], Finding]] = field(default_factory=list)

    def add(self, index: int, line: ResultLine) -> None:
        """Keeps the line if it is among the worst."""
        if line.verdict == "Clean":
            return
        # No two have the same index: findings are never compared.
        entry = ((_ORDER[line.verdict], line.risk, -index), Finding(index=index, result=line))
        if len(self._heap) < self.limit:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)
            self.left_out += 1

    def sorted(self) -> tuple[Finding, ...]:
        """Worst first."""
        return tuple(finding for _, finding in sorted(self._heap, key=lambda entry: entry[0], reverse=True))


@dataclass(slots=True)
class _Tally:
    object: str
    documents: int = 0
    quarantined: int = 0
    elevated: int = 0
    failed: int = 0
    max_risk: int = 0

    def add(self, line: ResultLine) -> None:
        self.documents += 1
        self.quarantined += line.verdict == "Quarantined"
        self.elevated += line.verdict == "Elevated"
        self.failed += line.verdict == "Error"
        if line.verdict != "Error":  # its risk says only that it is not known
            self.max_risk = max(self.max_risk, line.risk)

    def rank(self, number: int) -> tuple[int, ...]:
        return (self.quarantined, self.failed, self.elevated, self.max_risk, -number)


@dataclass(slots=True)
class Objects:
    """The objects with the most findings. The documents of an object come one after another."""

    limit: int = MAX_OBJECTS
    left_out: int = 0
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _current: _Tally | None = None
    _heap: list[tuple[tuple[int, ...], _Tally]] = field(default_factory=list)

    def add(self, line: ResultLine) -> None:
        """Counts the document with its object."""
        if self._current is None or self._current.object != line.object:
            self._finish()
            self._current = _Tally(line.object)
        self._current.add(line)

    def sorted(self) -> tuple[ObjectSummary, ...]:
        """Most findings first."""
        self._finish()
        ranked = sorted(self._heap, key=lambda entry: entry[0], reverse=True)
        return tuple(ObjectSummary(**asdict(tally)) for _, tally in ranked)

    def _finish(self) -> None:
        done, self._current = self._current, None
        if done is None or not (done.quarantined or done.failed or done.elevated):
            return
        entry = (done.rank(next(self._numbers)), done)
        if len(self._heap) < self.limit:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)
            self.left_out += 1


@dataclass(slots=True)
class Summary:
    """Everything that a report says in numbers."""

    documents: int = 0
    cached: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    histogram: list[int] = field(default_factory=lambda: [0] * 101)
    worst: Worst = field(default_factory=Worst)
    objects: Objects = field(default_factory=Objects)
    _classes: Counter[str] = field(default_factory=Counter)
    _quarantined: Counter[str] = field(default_factory=Counter)
    _rules: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, line: ResultLine) -> None:
        """Takes the next result."""
        index = self.documents
        self.documents += 1
        self.cached += line.cached
        self.verdicts[line.verdict] += 1
        if line.verdict != "Error":
            self.histogram[line.risk] += 1
            self._count_reasons(line)
        self.objects.add(line)
        self.worst.add(index, line)

    def counts(self, *, read_bytes: int) -> Counts:
        """The verdicts, counted from the results themselves."""
        return Counts(
            documents=self.documents,
            clean=self.verdicts["Clean"],
            elevated=self.verdicts["Elevated"],
            quarantined=self.verdicts["Quarantined"],
            failed=self.verdicts["Error"],
            cached=self.cached,
            bytes=read_bytes,
        )

    def classes(self) -> tuple[AttackClass, ...]:
        """Attack classes, those that quarantined most first."""
        found = [
            AttackClass(attack=attack, documents=count, quarantined=self._quarantined[attack])
            for attack, count in self._classes.items()
        ]
        return tuple(sorted(found, key=lambda item: (-item.quarantined, -item.documents, item.attack)))

    def rules(self) -> tuple[RuleUse, ...]:
        """Rules, those that found most first."""
        found = [RuleUse(rule=rule, attack=attack, documents=count) for (rule, attack), count in self._rules.items()]
        return tuple(sorted(found, key=lambda item: (-item.documents, item.rule)))

    def _count_reasons(self, line: ResultLine) -> None:
        for attack in {_bounded(reason.attack, self._classes) for reason in line.reasons}:
            self._classes[attack] += 1
            self._quarantined[attack] += line.verdict == "Quarantined"
        for key in {(reason.rule, reason.attack) for reason in line.reasons}:
            known = key if key in self._rules or len(self._rules) < MAX_NAMES else (OTHER, OTHER)
            self._rules[known] += 1


def _bounded(name: str, known: Counter[str]) -> str:
    """The results come from a store that others may write to: their names must not fill the memory."""
    return name if name in known or len(known) < MAX_NAMES else OTHER
