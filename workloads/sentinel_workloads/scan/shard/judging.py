"""Documents in, verdicts out: from the cache where it knows, from the detector where not, Error where neither can."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from sentinel_operator.api.scanning import ReasonLine, ResultLine, Thresholds, Verdict
from sentinel_workloads.scan.cache.cached import Cache
from sentinel_workloads.scan.judged import Detects, Judged, judged
from sentinel_workloads.scan.readers.document import Document, Fault

log = logging.getLogger(__name__)
EXCERPT, BEFORE = 2000, 200
TOGETHER = 8
"""A thread takes so many documents at once: few enough that all threads end together."""
FAILED_RISK = 100
"""Of what could not be judged: as if it were the worst."""
Outcome = Judged | Fault


class Judging:
    """The judge of a shard; its threads are its own."""

    def __init__(self, detector: Detects, cache: Cache, *, thresholds: Thresholds, threads: int) -> None:
        self._detector, self._cache, self._thresholds = detector, cache, thresholds
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="judge")

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def judge(self, documents: Sequence[Document]) -> list[ResultLine]:
        """A line for each document, in order."""
        known: dict[str, Outcome] = {}
        wanted: dict[str, str] = {}
        for document in documents:
            if document.fault is None and document.digest not in known and document.digest not in wanted:
                if found := self._cache.find(document.digest):
                    known[document.digest] = found
                else:
                    wanted[document.digest] = document.text
        cached = frozenset(known)
        for digest, outcome in (await self._judged(wanted)).items():
            known[digest] = outcome
            if isinstance(outcome, Judged):
                await self._cache.add(digest, outcome)
        return [
            self._line(document, document.fault or known[document.digest], cached=document.digest in cached)
            for document in documents
        ]

    async def _judged(self, wanted: dict[str, str]) -> dict[str, Outcome]:
        loop = asyncio.get_running_loop()
        items = list(wanted.items())
        groups = [items[at : at + TOGETHER] for at in range(0, len(items), TOGETHER)]
        found = await asyncio.gather(*(loop.run_in_executor(self._pool, self._judge_some, group) for group in groups))
        return {digest: outcome for group in found for digest, outcome in group}

    def _judge_some(self, group: Sequence[tuple[str, str]]) -> list[tuple[str, Outcome]]:
        return [(digest, self._judge_one(digest, text)) for digest, text in group]

    def _judge_one(self, digest: str, text: str) -> Outcome:
        try:
            found = judged(self._detector.judge(text))
        except Exception as error:  # whatever it is, the document was not judged, and is not allowed
            log.exception("the detector failed", extra={"digest": digest})
            return Fault(rule="detector-failed", message=f"the detector failed: {type(error).__name__}")
        return found

    def _line(self, document: Document, outcome: Outcome, *, cached: bool) -> ResultLine:
        if isinstance(outcome, Fault):
            return _failed(document, outcome)
        verdict = verdict_of(outcome.risk, self._thresholds)
        start = _excerpt_start(outcome) if verdict != "Clean" else 0
        return ResultLine(
            object=document.object,
            row=document.row,
            id=document.id,
            label=document.label,
            digest=document.digest,
            verdict=verdict,
            risk=outcome.risk,
            reasons=outcome.reasons,
            heuristic=outcome.heuristic,
            embedding=outcome.embedding,
            fingerprint=outcome.fingerprint,
            cached=cached,
            excerpt=document.text[start : start + EXCERPT] if verdict != "Clean" else "",
            excerpt_start=start,
        )


def verdict_of(risk: int, thresholds: Thresholds) -> Verdict:
    """The verdict on a document of that risk."""
    if risk >= thresholds.quarantine:
        return "Quarantined"
    return "Elevated" if risk >= thresholds.elevated else "Clean"


def _excerpt_start(found: Judged) -> int:
    """A little before the first span of the weightiest reason that has one."""
    spans = [(-reason.weight, reason.spans[0].start) for reason in found.reasons if reason.spans]
    return max(0, min(spans)[1] - BEFORE) if spans else 0


def _failed(document: Document, fault: Fault) -> ResultLine:
    reason = ReasonLine(rule=fault.rule, attack="unreadable", weight=1.0, message=fault.message)
    shown = document.text[:EXCERPT] or document.raw[:EXCERPT].decode("utf-8", "replace")
    return ResultLine(
        object=document.object,
        row=document.row,
        id=document.id,
        label=document.label,
        digest=document.digest,
        verdict="Error",
        risk=FAILED_RISK,
        reasons=(reason,),
        excerpt=shown,
    )
