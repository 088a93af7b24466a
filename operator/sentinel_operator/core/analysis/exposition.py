"""A pod's /metrics becomes the few counts that analysis needs. A pod that talks nonsense is refused with the reason."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

SERVER = "sentinel_model_server"
REQUESTS = f"{SERVER}_requests_total"
SECONDS = f"{SERVER}_request_duration_seconds_bucket"
PREDICTIONS = f"{SERVER}_predictions_total"
SCORES = f"{SERVER}_score_bucket"
COMPARED = "sentinel_shadow_compared_total"
AGREED = "sentinel_shadow_agreed_total"
ROWS = "sentinel_translation_rows_total"
STARTED = "process_start_time_seconds"
MIRRORED = "mirrored"
FAULTS = frozenset({"INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "DATA_LOSS"})
MAX_SERIES = 5_000
_WANTED = (REQUESTS, SECONDS, PREDICTIONS, SCORES, COMPARED, AGREED, ROWS, STARTED)
_MEANT = (REQUESTS, SECONDS, STARTED)

REFUSALS = frozenset({"400", "413", "415", "422", "INVALID_ARGUMENT", "OUT_OF_RANGE", "FAILED_PRECONDITION"})
"""Requests that the server cannot take as they are. Whether that is the client's fault or a new schema's, only the
stable revision can tell: it gets the same requests."""
GOOD, BAD, REFUSED = "good", "bad", "refused"
FAMILIES = ("requests", "seconds", "labels", "certainty", "scores", "agreement", "rows")


class ExpositionError(ValueError):
    """What a pod answered is not usable, and why."""


@dataclass(frozen=True, slots=True)
class PodCounts:
    """What one pod has counted since it started: for each family, counts by bin."""

    started: float
    """When its process started, in seconds since the epoch; NaN where it does not say."""
    families: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def read(text: str, *, revision: str = "", candidate: str = "", meant: bool = False) -> PodCounts:
    """Reads the text format of Prometheus; raises ExpositionError.

    A pod may serve several revisions, one after the other: of series with a label `revision` those of this one are
    read. Comparisons of mirrored requests are those with this candidate. With `meant`, only requests and how long
    they took are read, and of those none that was only copied to the pod.
    """
    wanted = _MEANT if meant else _WANTED
    lines = [line for line in text.splitlines() if line.startswith(wanted)]
    if len(lines) > MAX_SERIES:
        raise ExpositionError(f"{len(lines)} series, above {MAX_SERIES}")
    families: dict[str, dict[str, float]] = {}
    started = math.nan
    for sample in _samples(lines):
        if sample.name == STARTED:
            started = sample.value
            continue
        if sample.name in {COMPARED, AGREED}:
            if sample.labels.get("candidate", "") == candidate:
                _add_comparison(families.setdefault("agreement", {GOOD: 0.0, BAD: 0.0}), sample)
            continue
        if _is_anothers(sample, revision) or (meant and sample.labels.get("traffic") == MIRRORED):
            continue
        for family, name in _bins(sample):
            counts = families.setdefault(family, {})
            counts[name] = counts.get(name, 0.0) + _count(sample)
    for family in ("seconds", "scores"):
        _demand_histogram(family, families.get(family, {}))
    if "requests" in families:
        families["requests"] = {GOOD: 0.0, BAD: 0.0, **families["requests"]}
    return PodCounts(started, families)


def _is_anothers(sample: Sample, revision: str) -> bool:
    return bool(revision) and sample.labels.get("revision", revision) != revision


def _samples(lines: list[str]) -> Iterator[Sample]:
    try:
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            yield from family.samples
    except (ValueError, IndexError, KeyError) as error:
        raise ExpositionError(f"not the text format of Prometheus: {str(error)[:120]}") from None


def _count(sample: Sample) -> float:
    if not math.isfinite(sample.value) or sample.value < 0:
        raise ExpositionError(f"{sample.name} is {sample.value}, which nobody can have counted")
    return float(sample.value)


def _bins(sample: Sample) -> Iterator[tuple[str, str]]:
    labels = sample.labels
    match sample.name:
        case name if name == REQUESTS:
            code = labels.get("code", "")
            yield "requests", BAD if is_fault(code) else REFUSED if code in REFUSALS else GOOD
        case name if name == SECONDS:
            yield "seconds", _bound(labels)
        case name if name == SCORES:
            yield "scores", _bound(labels)
        case name if name == PREDICTIONS:
            yield "labels", labels.get("label", "")
            yield "certainty", BAD if labels.get("uncertain") == "true" else GOOD
        case name if name == ROWS:
            yield "rows", BAD if labels.get("flagged") == "true" else GOOD
        case _:
            return


def _add_comparison(counts: dict[str, float], sample: Sample) -> None:
    """Of the requests that both have answered, those that agreed are counted apart."""
    count = _count(sample)
    if sample.name == AGREED:
        counts[GOOD] += count
        counts[BAD] -= count
    else:
        counts[BAD] += count


def is_fault(code: str) -> bool:
    """Tells whether the server is to blame: a 5xx, or a gRPC status of that meaning. A client's mistake is not."""
    return (len(code) == 3 and code.startswith("5")) or code in FAULTS


def _bound(labels: Mapping[str, str]) -> str:
    try:
        bound = float(labels.get("le", ""))
    except ValueError:
        bound = math.nan
    if math.isnan(bound):
        raise ExpositionError(f"a bucket without a bound: le={labels.get('le')!r}")
    return "+Inf" if bound == math.inf else repr(bound)


def _demand_histogram(family: str, counts: Mapping[str, float]) -> None:
    ordered = [counts[le] for le in sorted(counts, key=float)]
    if counts and "+Inf" not in counts:
        raise ExpositionError(f"the histogram of {family} has no bucket +Inf")
    if any(later < earlier for earlier, later in pairwise(ordered)):
        raise ExpositionError(f"the histogram of {family} is not cumulative")
