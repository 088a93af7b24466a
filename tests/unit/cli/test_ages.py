from __future__ import annotations

import pytest

from sentinel_operator.cli.ages import UNKNOWN, age, span
from tests.unit.cli.recording import NOW

# As k8s.io/apimachinery/pkg/util/duration.HumanDuration writes them.
SPANS = {
    -5: "0s",
    0: "0s",
    119: "119s",
    120: "2m",
    125: "2m5s",
    599: "9m59s",
    600: "10m",
    10799: "179m",
    10800: "3h",
    11100: "3h5m",
    28800: "8h",
    172799: "47h",
    172800: "2d",
    176400: "2d1h",
    691200: "8d",
    63071999: "729d",
    63072000: "2y",
    63072000 + 86400 * 3: "2y3d",
    252288000: "8y",
}


@pytest.mark.parametrize("seconds", SPANS)
def test_spans_get_coarser_as_kubectl_writes_them(seconds: int) -> None:
    assert span(seconds) == SPANS[seconds]


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        ("2025-03-01T11:59:20Z", "40s"),
        ("2025-03-01T11:59:20.500000Z", "39s"),
        ("2025-03-01T12:00:20Z", "0s"),
        ("soon", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_the_age_of_a_timestamp(timestamp: object, text: str) -> None:
    assert age(timestamp, NOW) == text
