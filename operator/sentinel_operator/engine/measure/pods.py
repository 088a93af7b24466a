"""One look at the metrics of both revisions' pods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sentinel_operator.core.analysis.exposition import ExpositionError, read
from sentinel_operator.core.analysis.subject import Subject, Target
from sentinel_operator.core.analysis.window import Seen, Snapshot
from sentinel_operator.engine.measure.fault import CannotMeasure
from sentinel_operator.engine.measure.fetch import Fetch

PODS_PER_REVISION = 64
"""Of more, these are asked: always the same ones, so that a pod is compared with itself."""
_CONCURRENT = 32
_TIMEOUT = 5.0
_SOON = 2.0
_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Look:
    """What the pods said, and what those that said nothing usable did."""

    snapshot: Snapshot
    faults: tuple[str, ...] = ()


class PodMetrics:
    """Asks pods. A pod that does not answer is left out; a revision of which none answers cannot be measured."""

    def __init__(self, fetch: Fetch, *, now: Callable[[], datetime]) -> None:
        self._fetch, self._now = fetch, now
        self._free = asyncio.Semaphore(_CONCURRENT)

    async def look(self, subject: Subject) -> Look:
        """Asks the pods of both revisions at once."""
        targets = [*_asked(subject.targets, subject.canary), *_asked(subject.targets, subject.stable)]
        at = self._now()
        answers = await asyncio.gather(*(self._ask(target, candidate=subject.canary) for target in targets))
        pods = {target.uid: seen for target, seen in zip(targets, answers, strict=True) if isinstance(seen, Seen)}
        faults = tuple(answer for answer in answers if isinstance(answer, str))
        for revision, role in ((subject.canary, "new"), (subject.stable, "stable")):
            of = [target for target in targets if target.revision == revision]
            if not of and role == "stable":
                continue  # it has gone; what it was like is known from the step before
            if not any(target.uid in pods for target in of):
                why = f": {faults[0]}" if of and faults else ""
                raise CannotMeasure(f"no pod of the {role} revision {revision} of {len(of)} tells its metrics{why}")
        return Look(Snapshot(at, pods), faults)

    async def counts(self, targets: Iterable[Target]) -> Look:
        """Asks pods of whatever revision what they counted of requests that were really meant for them."""
        asked = sorted(targets, key=lambda each: each.uid)[:PODS_PER_REVISION]
        at = self._now()
        asking = (self._ask(target, candidate="", meant=True, timeout=_SOON) for target in asked)
        answers = await asyncio.gather(*asking)
        pods = {target.uid: seen for target, seen in zip(asked, answers, strict=True) if isinstance(seen, Seen)}
        return Look(Snapshot(at, pods), tuple(answer for answer in answers if isinstance(answer, str)))

    async def _ask(
        self, target: Target, *, candidate: str, meant: bool = False, timeout: float = _TIMEOUT
    ) -> Seen | str:
        async with self._free:
            try:
                body = await self._fetch.get(target.url, timeout=timeout, limit=_LIMIT)
                counts = read(body.decode(), revision=target.revision, candidate=candidate, meant=meant)
                return Seen(target.revision, counts)
            except (CannotMeasure, ExpositionError) as error:
                return f"{target.name}: {error}"
            except ValueError:
                return f"{target.name}: its metrics are no text, or its address {target.address!r} is none"


def _asked(targets: Iterable[Target], revision: str) -> list[Target]:
    return sorted((each for each in targets if each.revision == revision), key=lambda each: each.uid)[
        :PODS_PER_REVISION
    ]
