"""Who has which targets to itself: all that it needs or none, the oldest first, and the same again after a restart."""

from __future__ import annotations

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
        self._waiting: dict[str, tuple[Age, frozenset[TargetKey]]] = {}
        self._names: dict[str, str] = {}

    @classmethod
    def restored(cls, plans: Iterable[Manifest]) -> LockTable:
        """Gives every plan that is in the middle of its change its targets again."""
        table = cls()
        for each in map(Digest.of, plans):
            if each.state in ACTING:
                table._names[each.uid] = each.name
                table._held.update(dict.fromkeys(each.targets, each.uid))
        return table

    def take(self, plan: Manifest, targets: Iterable[TargetKey]) -> bool:
        """Gives a plan all of the targets, or none and a place in the line. One that is older and waits for any of them
        comes first, or a plan with many targets would never have them all."""
        me, wanted = Digest.of(plan), frozenset(targets)
        self._names[me.uid] = me.name
        if any(self._held.get(key, me.uid) != me.uid for key in wanted) or self._is_overtaking(me, wanted):
            self._waiting[me.uid] = (me.age, wanted)
            return False
        self._waiting.pop(me.uid, None)
        self._held.update(dict.fromkeys(wanted, me.uid))
        return True

    def has(self, uid: str, targets: Iterable[TargetKey]) -> bool:
        """Tells whether a plan has all of the targets."""
        return all(self._held.get(key) == uid for key in targets)

    def holders(self, uid: str, targets: Iterable[TargetKey]) -> Mapping[TargetKey, str]:
        """Names, for each of the targets that another plan has or comes before, that plan."""
        found: dict[TargetKey, str] = {}
        for key in targets:
            holder = self._held.get(key) or self._first_in_line(key)
            if holder is not None and holder != uid:
                found[key] = self._names.get(holder, holder)
        return found

    def step_back(self, uid: str) -> None:
        """Takes a plan out of the line, that waits for something else now."""
        self._waiting.pop(uid, None)

    def release(self, uid: str) -> frozenset[TargetKey]:
        """Frees all that a plan has, which is finished or gone; gives what others may take now."""
        self._waiting.pop(uid, None)
        self._names.pop(uid, None)
        freed = frozenset(key for key, holder in self._held.items() if holder == uid)
        for key in freed:
            del self._held[key]
        return freed

    def waiting_for(self, targets: Iterable[TargetKey]) -> tuple[str, ...]:
        """Gives the uids of those that wait for any of the targets, the oldest first."""
        freed = frozenset(targets)
        found = [(age, uid) for uid, (age, wanted) in self._waiting.items() if wanted & freed]
        return tuple(uid for _, uid in sorted(found))

    def _is_overtaking(self, me: Digest, wanted: frozenset[TargetKey]) -> bool:
        return any(age < me.age and theirs & wanted for uid, (age, theirs) in self._waiting.items() if uid != me.uid)

    def _first_in_line(self, key: TargetKey) -> str | None:
        line = self.waiting_for((key,))
        return line[0] if line else None
