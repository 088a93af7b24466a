"""The status of a scan, as a function of what is observed: equal observations give equal bytes."""

from __future__ import annotations

from sentinel_operator.api.conditions import READY, RECONCILING, STALLED, Condition, Decision
from sentinel_operator.api.scanstatus import ScanJobStatus, ScanProgress, ScanReport, ScanShards
from sentinel_operator.core.conditions import Finding, conditions, parse_time, rfc3339, standing
from sentinel_operator.core.scanjob.assess import Assessment
from sentinel_operator.core.scanjob.config import price_per_hour, root
from sentinel_operator.core.scanjob.indexes import count
from sentinel_operator.core.scanjob.observe import Observed
from sentinel_operator.core.scanjob.progress import (
    WRITE_EVERY,
    Pace,
    advanced,
    concluded,
    same_but_for_time,
    stopped,
    summed,
)
from sentinel_operator.core.scanjob.summary import Summary

SCANNED, CLEAN, SIGNED = "Scanned", "Clean", "ReportSigned"
_REPORTED = (
    "uri",
    "digest",
    "dataset_digest",
    "clean_digest",
    "detector_digest",
    "merkle_root",
    "signature",
    "identity",
)


def desired_status(
    observed: Observed, assessment: Assessment, summary: Summary, *, decision: Decision | None
) -> ScanJobStatus:
    """Gives the whole status. The time of the pass is in it only where something changed."""
    before = observed.status or ScanJobStatus()
    end = assessment.end
    begun = bool(observed.jobs) or end is not None
    return ScanJobStatus(
        observed_generation=observed.generation,
        phase=summary.phase,
        verdict=end.verdict if end is not None else None,
        root=root(assessment.spec, observed.owner),
        objects=assessment.plan.objects if assessment.plan is not None else None,
        shards=_shards(observed, assessment),
        progress=next_progress(observed, assessment),
        report=_report(assessment),
        requested_by=observed.requested_by or None,
        started_at=before.started_at or (rfc3339(observed.now) if begun else None),
        finished_at=rfc3339(observed.now) if end is not None else None,
        last_decision=decision,
        conditions=conditions(
            (*standing(summary), *_domain(observed, assessment)),
            previous=_previous(observed),
            generation=observed.generation,
            now=observed.now,
        ),
    )


def kept_status(observed: Observed, before: ScanJobStatus) -> ScanJobStatus:
    """Gives the status of what is finished: as it was written then, for the generation that is there now."""
    findings = [Finding(each.type, each.status, each.reason, each.message) for each in before.conditions or ()]
    told = conditions(findings, previous=before.conditions or (), generation=observed.generation, now=observed.now)
    return before.model_copy(update={"observed_generation": observed.generation, "conditions": told})


def undecided_status(observed: Observed, summary: Summary) -> ScanJobStatus:
    """Gives the status of a scan of which nothing can be said but the summary: what was known stays."""
    before = observed.status or ScanJobStatus()
    ours = {READY, RECONCILING, STALLED}
    kept = [
        Finding(each.type, each.status, each.reason, each.message)
        for each in before.conditions or ()
        if each.type not in ours
    ]
    told = conditions(
        (*standing(summary), *kept), previous=_previous(observed), generation=observed.generation, now=observed.now
    )
    return before.model_copy(
        update={"observed_generation": observed.generation, "phase": summary.phase, "conditions": told}
    )


def next_progress(observed: Observed, assessment: Assessment) -> ScanProgress | None:
    """Gives the progress that is written now: of what changes all the time, no more than every few seconds."""
    before = observed.status.progress if observed.status is not None else None
    plan, end = assessment.plan, assessment.end
    if end is not None and end.report is not None:
        return concluded(before, end.report.counts, total_bytes=plan.bytes if plan else 0, now=observed.now)
    if plan is None or assessment.step == "plan":
        return before
    job = observed.jobs.get("shard")
    running = sum(pod.started and pod.success is None for pod in job.pods) if job is not None else 0
    paused = end is not None or assessment.step == "report" or assessment.spec.suspend or assessment.queued
    if not paused and before is not None and 0 <= progress_age(observed) < WRITE_EVERY:
        return before
    prices = observed.config.prices
    pace = Pace(
        total_bytes=plan.bytes,
        pods=running,
        pod_price=price_per_hour(assessment.spec, prices),
        currency=prices.currency if prices is not None else "",
        now=observed.now,
    )
    counts = summed(each.counts for each in observed.shard_counts().values())
    found = advanced(before, counts, pace)
    found = stopped(found) or found if paused else found
    return before if before is not None and same_but_for_time(before, found) else found


def progress_age(observed: Observed) -> float:
    """Gives the seconds since the progress was written last; infinite where it never was."""
    progress = observed.status.progress if observed.status is not None else None
    written = parse_time(progress.observed_at) if progress is not None else None
    return (observed.now - written).total_seconds() if written is not None else float("inf")


def _domain(observed: Observed, assessment: Assessment) -> tuple[Finding, ...]:
    """Says of the scan itself what a gate may wait for. Nothing is said to be clean before the report says so."""
    end, job = assessment.end, observed.jobs.get("shard")
    if (job is not None and job.complete and not job.going) or (end is not None and end.report is not None):
        scanned = Finding(SCANNED, "True", "EveryShard", "every shard is scanned")
    else:
        scanned = Finding(SCANNED, "False", end.reason if end is not None else "UnderWay")
    if end is None or end.report is None:
        reason = "NoReport" if end is not None else "UnderWay"
        return scanned, Finding(CLEAN, "Unknown", reason), Finding(SIGNED, "Unknown", reason)
    clean = Finding(CLEAN, "True" if end.verdict == "Clean" else "False", end.verdict, end.message)
    if end.report.signature:
        return scanned, clean, Finding(SIGNED, "True", "Signed", f"signed by {end.report.identity}")
    return scanned, clean, Finding(SIGNED, "False", "NotSigned", "spec.signing is not set")


def _shards(observed: Observed, assessment: Assessment) -> ScanShards | None:
    if assessment.plan is None:
        return None
    job = observed.jobs.get("shard")
    if job is None:
        known = observed.status.shards if observed.status is not None else None
        return known.model_copy(update={"active": 0}) if known is not None else ScanShards(total=assessment.plan.shards)
    return ScanShards(
        total=assessment.plan.shards,
        active=job.active,
        succeeded=job.succeeded,
        failed=count(job.failed_indexes),
        failed_indexes=job.failed_indexes[:4096],
    )


def _report(assessment: Assessment) -> ScanReport | None:
    report = assessment.end.report if assessment.end is not None else None
    return ScanReport(**{name: getattr(report, name) for name in _REPORTED}) if report is not None else None


def _previous(observed: Observed) -> tuple[Condition, ...]:
    return tuple(observed.status.conditions or ()) if observed.status is not None else ()
