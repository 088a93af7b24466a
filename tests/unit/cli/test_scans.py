"""What the commands tell of a ScanJob."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml

from sentinel_operator.api.kinds import SCAN_JOB
from sentinel_operator.api.scanning import ScanExit, ScanFailure
from sentinel_operator.cli.follow import Seen
from sentinel_operator.cli.headline import headline
from sentinel_operator.cli.offline import render
from sentinel_operator.cli.outcome import Invalid
from sentinel_operator.cli.story import Gathered, story
from sentinel_operator.cli.table import table
from sentinel_operator.cli.view import View
from tests.support.scanworld import ScanWorld, a_report, a_scan, counts

NOW = datetime(2025, 3, 1, 12, 5, tzinfo=UTC)


def told(scan: ScanWorld) -> str:
    gathered = Gathered(raw=scan.raw, pods=tuple(scan.pods.values()))
    return "\n".join(" ".join(line.plain.split()) for line in story(gathered, now=NOW))


def under_way() -> ScanWorld:
    scan = ScanWorld(a_scan()).planned(3)
    scan.wait(10)
    scan.tell(0, counts(30, quarantined=2, cached=5))
    scan.settle()
    return scan


def test_a_scan_that_is_under_way():
    scan = under_way()
    assert headline(scan.raw) == (
        "10% scanned: 30 documents, 2 quarantined, about 90s left. "
        "Waiting: Scanning: 0 of 3 shards are scanned. Nothing to do: it goes on by itself."
    )
    text = told(scan)
    assert "ScanJob team-a/tickets" in text
    assert "phase Scanning" in text
    assert "0 of 3 scanned, 3 under way" in text
    assert "10% of 30,000 bytes" in text
    assert "30 judged, 5 of them known from before" in text
    assert "2 quarantined, 0 elevated, 0 not judged" in text
    assert "180 documents a minute" in text
    assert text.count("Running") == 3


def test_a_scan_that_is_done():
    scan = ScanWorld(a_scan()).scanned()
    scan.succeed("report", a_report(counts(300, quarantined=4)))
    scan.settle()
    assert headline(scan.raw) == "Quarantined: 300 documents, 4 quarantined. Waiting for nothing. Nothing to do."
    text = told(scan)
    assert "verdict Quarantined" in text
    assert "requested by alice" in text
    assert "statement.sigstore.json (sha256:ffff" in text
    assert "every shard is scanned" in text
    assert "the report is signed" in text
    assert "by Finished: Quarantined" in text
    assert "Running" not in text


def test_a_scan_that_failed_says_what_to_do():
    scan = ScanWorld(a_scan())
    scan.settle()
    said = ScanFailure(reason="AccessDenied", field="spec.source.objectStore", message="403")
    scan.fail("plan", ScanExit.AccessDenied, said)
    scan.fail_job("plan")
    scan.settle()
    first = headline(scan.raw)
    assert first.startswith("Incomplete: 0 documents, 0 quarantined. Waiting for you: AccessDenied: spec.source.object")
    assert first.endswith(
        "To do: let the credentials of the field that is named do what is refused; then make another one."
    )
    assert "AccessDenied: spec.source.objectStore: 403" in told(scan)


@pytest.mark.parametrize("raw", [a_scan(), {**a_scan(), "status": {"observedGeneration": 1, "phase": 5, "shards": {}}}])
def test_one_that_says_little_or_nonsense_is_told_of_all_the_same(raw):
    assert "Nothing is scanned yet." in headline(raw)
    assert told(ScanWorld(raw))


def test_it_is_listed_with_how_far_it_is():
    lines = [line.plain for line in table(SCAN_JOB, [under_way().raw], now=NOW)]
    assert lines[0].split() == ["NAME", "READY", "REASON", "PHASE", "PROGRESS", "VERDICT", "QUARANTINED", "AGE"]
    assert lines[1].split()[:5] == ["tickets", "False", "Scanning", "Scanning", "10%"]


def test_a_line_a_change_tells_how_far_it_is():
    view = View("scanjob/tickets")
    change = view.take(Seen(raw=under_way().raw), NOW)
    assert change is not None
    assert change.text == "Ready=False Scanning 10% 30 scanned, 2 quarantined: 0 of 3 shards are scanned"
    assert any("10% of 30,000 bytes" in line.plain for line in view.lines(NOW))


def test_what_it_would_become_is_shown_without_a_cluster(tmp_path):
    file = tmp_path / "scan.yaml"
    file.write_text(yaml.safe_dump(a_scan(shards=4)))
    made, warnings = render(str(file), settings=None, namespace=None)
    assert [child["kind"] for child in made] == ["ServiceAccount", "NetworkPolicy", "ConfigMap", "Job", "Job", "Job"]
    assert made[4]["spec"]["completions"] == 4
    assert any("spec.detectors.embedding is not set" in each for each in warnings)
    file.write_text(yaml.safe_dump(a_scan(batchSize=0, strange=1)))
    with pytest.raises(Invalid, match=r"spec\.strange.*\n?spec\.batchSize"):
        render(str(file), settings=None, namespace=None)
