"""What the status remembers of deliveries: read for the state machine, and written down again."""

from __future__ import annotations

from datetime import UTC, datetime

from sentinel_operator.api.sentrymodel import RevisionRecord, SentryModelStatus
from sentinel_operator.core.conditions import MESSAGE_LIMIT, parse_time, rfc3339, truncated
from sentinel_operator.core.rollout.observed import Record, State
from sentinel_operator.core.rollout.record import remembered


def remembered_state(status: SentryModelStatus | None) -> State:
    """Gives what was remembered. A status that was written before there was a memory names at least what serves."""
    progress = status.rollout if status is not None else None
    if progress is None or not (progress.stable or progress.candidate):
        return State(stable=status.stable.revision if status is not None and status.stable else "")
    return remembered(progress)


def remembered_records(status: SentryModelStatus | None) -> tuple[Record, ...]:
    """Gives what became of the revisions that are kept."""
    return tuple(
        Record(
            revision=record.revision,
            verdict=record.verdict,
            attempt=record.attempt,
            reason=record.reason,
            message=record.message,
            at=_seconds(record.decided_at),
            promoted_at=_seconds(record.promoted_at),
        )
        for record in (status.revisions or () if status is not None else ())
    )


def judged(record: RevisionRecord, found: Record) -> RevisionRecord:
    """Gives an entry of the history with what became of its revision."""
    return record.model_copy(
        update={
            "verdict": found.verdict,
            "attempt": found.attempt,
            "reason": found.reason,
            "message": truncated(found.message, MESSAGE_LIMIT),
            "decided_at": _text(found.at),
            "promoted_at": _text(found.promoted_at),
        }
    )


def _seconds(text: str) -> float:
    """Reads a moment as seconds since the epoch; 0 for none."""
    moment = parse_time(text) if text else None
    return moment.timestamp() if moment is not None else 0.0


def _text(moment: float) -> str:
    """Writes seconds since the epoch, in whole seconds; nothing for 0."""
    return rfc3339(datetime.fromtimestamp(moment, UTC)) if moment else ""
