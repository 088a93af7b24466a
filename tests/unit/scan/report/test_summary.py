"""The numbers of a report, and that they take no more room for more documents."""

from __future__ import annotations

import pytest

from sentinel_operator.api.scanning import ReasonLine, ResultLine
from sentinel_workloads.scan.report.summary import MAX_NAMES, Objects, Summary, Worst
from tests.support.scanned import a_result


def summed(*lines: ResultLine) -> Summary:
    summary = Summary()
    for line in lines:
        summary.add(line)
    return summary


def reason(attack: str, rule: str = "rule") -> ReasonLine:
    return ReasonLine(rule=rule, attack=attack, weight=1)


def test_each_verdict_is_counted() -> None:
    verdicts = ("Clean", "Clean", "Elevated", "Quarantined", "Error")
    counts = summed(*[a_result(verdict=verdict, cached=verdict == "Clean") for verdict in verdicts]).counts(
        read_bytes=7
    )
    assert (counts.documents, counts.clean, counts.elevated, counts.quarantined, counts.failed) == (5, 2, 1, 1, 1)
    assert (counts.cached, counts.bytes) == (2, 7)


def test_the_histogram_has_a_place_for_each_risk_and_none_for_errors() -> None:
    summary = summed(a_result(risk=0), a_result(risk=100), a_result(risk=100), a_result(verdict="Error", risk=0))
    assert (summary.histogram[0], summary.histogram[100], sum(summary.histogram)) == (1, 2, 3)


def test_a_document_counts_once_in_a_class() -> None:
    twice = a_result(verdict="Quarantined", reasons=(reason("x"), reason("x", "other"), reason("y")))
    (first, second) = summed(twice, a_result(verdict="Elevated", reasons=(reason("x"),))).classes()
    assert (first.attack, first.documents, first.quarantined) == ("x", 2, 1)
    assert (second.attack, second.documents, second.quarantined) == ("y", 1, 1)


def test_names_from_outside_do_not_fill_the_memory() -> None:
    lines = [a_result(reasons=(reason(f"attack-{number}", f"rule-{number}"),)) for number in range(MAX_NAMES + 100)]
    summary = summed(*lines)
    assert len(summary.classes()) <= MAX_NAMES + 1
    assert sum(item.documents for item in summary.classes()) == len(lines)
    assert len(summary.rules()) <= MAX_NAMES + 1


def test_the_worst_come_first() -> None:
    lines = [
        a_result(verdict="Elevated", risk=60),
        a_result(verdict="Quarantined", risk=80),
        a_result(verdict="Error", risk=0),
        a_result(verdict="Clean", risk=10),
        a_result(verdict="Quarantined", risk=95),
        a_result(verdict="Quarantined", risk=80),
    ]
    assert [finding.index for finding in summed(*lines).worst.sorted()] == [4, 1, 5, 2, 0]


def test_no_more_than_the_worst_are_kept() -> None:
    worst = Worst(limit=3)
    for index, risk in enumerate([50, 60, 70, 80, 90, 55]):
        worst.add(index, a_result(verdict="Elevated", risk=risk))
    assert [finding.result.risk for finding in worst.sorted()] == [90, 80, 70]
    assert worst.left_out == 3


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_objects_with_most_findings_come_first(limit: int) -> None:
    objects = Objects(limit=limit)
    for name, verdicts in (("a", ["Clean"]), ("b", ["Elevated", "Clean"]), ("c", ["Quarantined", "Error"])):
        for verdict in verdicts:
            objects.add(a_result(object=name, verdict=verdict, risk=100 if verdict == "Error" else 40))
    found = objects.sorted()
    assert [item.object for item in found] == ["c", "b"][:limit]
    assert objects.left_out == max(0, 2 - limit)
    assert (found[0].documents, found[0].quarantined, found[0].failed, found[0].max_risk) == (2, 1, 1, 40)
