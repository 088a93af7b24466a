"""What the API server counts, read from its metrics."""

from __future__ import annotations

import pytest

from benchmarks.operator.measure import percentile, writes

METRICS = """
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",resource="services",subresource="",verb="APPLY"} 3
apiserver_request_total{code="409",resource="services",subresource="",verb="APPLY"} 1
apiserver_request_total{code="200",resource="deployments",subresource="scale",verb="PATCH"} 2
apiserver_request_total{code="200",resource="services",subresource="",verb="LIST"} 9
apiserver_request_total{code="200",resource="leases",subresource="",verb="PUT"} 5
apiserver_request_duration_seconds_count{resource="services",verb="APPLY"} 4
"""


def test_writes_are_counted_by_resource_whatever_they_came_to():
    assert writes(METRICS) == {"services": 4, "deployments/scale": 2, "leases": 5}


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 3), (0.99, 4), (1.0, 4)])
def test_a_percentile_is_one_of_the_values(share: float, value: int):
    assert percentile([4, 1, 3, 2], share) == value
