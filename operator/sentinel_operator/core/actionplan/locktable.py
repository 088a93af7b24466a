"""Who has which targets to itself: all that it needs or none, the oldest first, and the same again after a restart."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping

from sentinel_operator.api.actionstatus import ACTING
from sentinel_operator.core.actionplan.neighbours import Digest
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.targets import TargetKey

Age = tuple[str, str]


class LockTable:
    """Kept by the one operator that acts. Nothing in it is written anywhere: a plan that is in the middle of its change
    says so in its status, and `restored` reads that."""

    def __init__(self) -> None:
        self._held: dict[TargetKey, str] = {}
        self._holding: dict[str, set[TargetKey]] = {}
        self._waiting: dict[str, tuple[Age, frozenset[TargetKey]]] = {}
        self._lines: dict[TargetKey, list[tuple[Age, str]]] = {}
        """Of each target those that wait for it, the oldest first."""
        self._names: dict[str, str] = {}

    @classmethod
    def restored(cls, plans: Iterable[Manifest]) -> LockTable:
        """Gives every plan that is in the middle of its change its targets again."""
        table = cls()
        for each in map(Digest.of, plans):
            if each.state in ACTING:
                table._hold(each, each.targets)
        return table

    def would_give(self, plan: Manifest, targets: Iterable[TargetKey]) -> bool:
        """Tells whether a plan that asked now would get all of the targets, or has them."""
        return self._is_free(Digest.of(plan), frozenset(targets))

    def take(self, plan: Manifest, targets: Iterable[TargetKey]) -> bool:
        """Gives a plan all of the targets, or none and a place in the line. One that is older and waits for any of them
        comes first, or a plan with many targets would never have them all."""
        me, wanted = Digest.of(plan), frozenset(targets)
        self.step_back(me.uid)
        if self._is_free(me, wanted):
            self._hold(me, wanted)
            return True
        self._names[me.uid] = me.name
        self._waiting[me.uid] = (me.age, wanted)
        for key in wanted:
            insort(self._lines.setdefault(key, []), (me.age, me.uid))
        return False

    def has(self, uid: str, targets: Iterable[TargetKey]) -> bool:
        """Tells whether a plan has all of the targets."""
        return all(self._held.get(key) == uid for key in targets)

    def holders(self, uid: str, targets: Iterable[TargetKey]) -> Mapping[TargetKey, str]:
        """Names, for each of the targets that another plan has or comes before, that plan."""
        found: dict[TargetKey, str] = {}
        for key in targets:
            holder = self._held.get(key) or next((waiting for _, waiting in self._lines.get(key, ())), None)
            if holder is not None and holder != uid:
                found[key] = self._names.get(holder, holder)
        return found

    def step_back(self, uid: str) -> None:
        """Takes a plan out of the line, that waits for something else now."""
        age, wanted = self._waiting.pop(uid, (("", ""), frozenset[TargetKey]()))
        for key in wanted:
            self._lines[key].remove((age, uid))
            if not self._lines[key]:
                del self._lines[key]

    def release(self, uid: str) -> frozenset[TargetKey]:
        """Frees all that a plan has, which is finished or gone; gives what others may take now."""
        self.step_back(uid)
        self._names.pop(uid, None)
        freed = self._holding.pop(uid, set())
        for key in freed:
            del self._held[key]
        return frozenset(freed)

    def waiting_for(self, targets: Iterable[TargetKey]) -> tuple[str, ...]:
        """Gives the uids of those that wait for any of the targets, the oldest first."""
        found = {each for key in targets for each in self._lines.get(key, ())}
        return tuple(uid for _, uid in sorted(found))

    def _is_free(self, me: Digest, wanted: frozenset[TargetKey]) -> bool:
        if any(self._held.get(key, me.uid) != me.uid for key in wanted):
            return False
        first = (line[0] for key in wanted if (line := self._lines.get(key)))
        return not any(age < me.age and uid != me.uid for age, uid in first)

    def _hold(self, me: Digest, wanted: Iterable[TargetKey]) -> None:
        """Where statuses of two replicas say two holders, the later one has it, and the other keeps nothing of it."""
        self._names[me.uid] = me.name
        for key in wanted:
            former = self._held.get(key)
            if former is not None and former != me.uid:
                self._holding[former].discard(key)
            self._held[key] = me.uid
            self._holding.setdefault(me.uid, set()).add(key)
