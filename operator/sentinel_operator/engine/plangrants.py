"""Who has which planId, which share of a rate and which targets: as the statuses say, and as they are about to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from sentinel_operator.api.actionstatus import ACTING, FINISHED
from sentinel_operator.core.actionplan.index import PlanIndex
from sentinel_operator.core.actionplan.locktable import LockTable
from sentinel_operator.core.actionplan.neighbours import targets_of
from sentinel_operator.core.actionplan.surroundings import Surroundings
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import Key
from sentinel_operator.engine.decider import Decided
from sentinel_operator.engine.errors import Conflict

_NO = frozenset({"Rejected", "Superseded"})
"""Last words that may be due to other plans."""

Decide = Callable[[Surroundings], Decided]


class PlanGrants:
    """Follows the plans as they are known. `wake` queues one that may go on now; `plans` gives all.

    Whether a plan may take its place depends on the others, and they learn of it by its status. What a pass is about to
    write counts for the others from the moment at which it is decided, with nothing awaited between the look at them
    and that moment; so no two plans pass through one gap, and none has to wait until another's status is written. It is
    taken back where the write is known to have failed, and stays where that is not known.
    """

    def __init__(self, *, plans: Callable[[], Iterable[Manifest]], wake: Callable[[Key], None]) -> None:
        self._plans, self._wake = plans, wake
        self._index = PlanIndex()
        self._known: dict[str, tuple[Key, Manifest]] = {}
        self._uids: dict[Key, str] = {}
        self._locks: LockTable | None = None
        self._foreseen: dict[str, Manifest] = {}
        self._doubtful: set[str] = set()

    # ------------------------------------------------------------------------------------ what is seen

    def seen(self, key: Key, raw: Manifest | None) -> None:
        """Takes in a plan as it is known from now on; None for one that is gone."""
        former = self._uids.get(key)
        if former is not None and (raw is None or raw["metadata"]["uid"] != former):
            del self._uids[key], self._known[former]
            self._index.remove(former)
            self._known_now(former)
            self._release(former)
        if raw is None:
            return
        uid = raw["metadata"]["uid"]
        # Of thousands of finished plans only so much is kept in here.
        kept = raw if state_of(raw) not in FINISHED else {"status": {"state": state_of(raw)}}
        self._uids[key], self._known[uid] = uid, (key, kept)
        self._index.put(raw)
        self._known_now(uid)
        if state_of(raw) in FINISHED:
            self._release(uid)

    # ------------------------------------------------------------------------------------ what is granted

    def decided(self, raw: Manifest, around: Surroundings, decide: Decide) -> Decided:
        """Decides by what stands now, and takes for the plan what it is about to have. Raises Conflict where what it
        comes to is not known yet."""
        uid, targets, table = raw["metadata"]["uid"], targets_of(raw), self._table
        around = replace(
            around,
            neighbours=self._index.neighbours(raw),
            locked=bool(targets) and (table.has(uid, targets) or table.would_give(raw, targets)),
            holders=table.holders(uid, targets),
        )
        decided = decide(around)
        plan = decided[1]
        if plan.rehearse or plan.wants_levels:
            return decided  # it asks first
        after = state_of({"status": plan.status}) if plan.status is not None else state_of(raw)
        if after in _NO:
            self._confirm(raw, around, decide)
        wanted = plan.wants_locks or (targets if after in ACTING else ())
        if not wanted:
            table.step_back(uid)
        elif not table.has(uid, wanted):
            table.take(raw, wanted)
        if plan.status is not None and after not in FINISHED and after != state_of(raw):
            self._foreseen[uid] = {**raw, "status": plan.status}
            self._index.put(self._foreseen[uid])
        return decided

    def over(self, raw: Manifest, *, certain: bool) -> None:
        """Takes in the end of a pass. `certain`: what it was about to write is known by now, or was not written."""
        uid = raw["metadata"]["uid"]
        if uid in self._foreseen and not certain:
            self._doubtful.add(uid)
            return
        if self._foreseen.pop(uid, None) is not None and uid in self._known:
            self._index.put(self._known[uid][1])
        self._doubtful.discard(uid)
        self._let_go(uid)

    def in_doubt(self, raw: Manifest) -> bool:
        """Tells whether it is not known what became of the plan's last write."""
        return raw["metadata"]["uid"] in self._doubtful

    def _confirm(self, raw: Manifest, around: Surroundings, decide: Decide) -> None:
        """A last word must not be due to what may never be written."""
        others = [uid for uid in self._foreseen if uid != raw["metadata"]["uid"] and uid in self._known]
        if not others:
            return
        with self._as_written(others):
            plan = decide(replace(around, neighbours=self._index.neighbours(raw)))[1]
        if plan.status is None or state_of({"status": plan.status}) not in _NO:
            raise Conflict("it depends on a plan whose status is just being written")

    @contextmanager
    def _as_written(self, uids: Iterable[str]) -> Iterator[None]:
        for uid in uids:
            self._index.put(self._known[uid][1])
        try:
            yield
        finally:
            for uid in uids:
                self._index.put(self._foreseen[uid])

    # ------------------------------------------------------------------------------------ who has what

    @property
    def _table(self) -> LockTable:
        """As the statuses tell it, from the first pass on: until then another replica grants."""
        if self._locks is None:
            self._locks = LockTable.restored(self._plans())
        return self._locks

    def _known_now(self, uid: str) -> None:
        """What was foreseen is written, or will not be."""
        self._foreseen.pop(uid, None)
        self._doubtful.discard(uid)

    def _let_go(self, uid: str) -> None:
        """A plan that is not in the middle of its change keeps nothing."""
        _, raw = self._known.get(uid, (None, None))
        if (
            raw is None
            or state_of(raw) in FINISHED
            or (state_of(raw) not in ACTING and (targets := targets_of(raw)) and self._table.has(uid, targets))
        ):
            self._release(uid)

    def _release(self, uid: str) -> None:
        if self._locks is None:
            return
        for each in self._locks.waiting_for(self._locks.release(uid)):
            if each in self._known:
                self._wake(self._known[each][0])


def state_of(raw: Mapping[str, object]) -> str:
    """Gives the state of a raw plan; empty where it has none yet."""
    status = raw.get("status")
    return str(status.get("state") or "") if isinstance(status, dict) else ""
