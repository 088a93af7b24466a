"""Whether a run was right: what was seen of the targets against what the plans asked for and what they say was done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from sentinel_operator.api.actionstatus import ACTING, FINISHED
from sentinel_operator.core.actionplan.edits import from_text, value_at
from sentinel_operator.core.actionplan.neighbours import targets_of
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Manifest
from tests.support.faultproxy import Seen
from tests.support.once.pair import Post
from tests.support.once.story import DEADLINE, Draw, Story
from tests.support.once.watching import Step, Version, Witness

_LAG = 0.4
"""Seconds that a request may take from the operator's look at its clock to the proxy, on a busy machine."""
_NEXT = {
    "Pending": {"Executing", "Failed", "Expired", "Skipped", "Simulated"},
    "Executing": {"Done", "Failed", "Expired", "Undoing"},
    "Done": {"Undoing"},
    "Failed": {"Undoing"},
    "Expired": {"Undoing"},
    "Undoing": {"Undone", "UndoFailed", "Failed"},
}
_ORDER = ("", "Pending", "Validating", "AwaitingApproval", "Approved", "Scheduled", "Executing", "Verifying")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One change that a plan says it has made, or would make."""

    plan: str
    decision: Manifest
    record: Manifest
    way: Literal["do", "undo"]
    intent: Manifest

    @property
    def target(self) -> tuple[str, int]:
        return self.intent["name"], int(self.intent.get("generation") or 0)

    @property
    def made(self) -> bool:
        """Tells whether the record leaves no doubt that it was made."""
        if not self.intent.get("edits"):
            return False
        return self.record["state"] in ({"Done", "Undone"} if self.way == "do" else {"Undone"})

    def explains(self, step: Step) -> bool:
        """Tells whether the change is the one that was meant."""
        edits = [
            (tuple(each["path"]), from_text(each.get("before", "")), from_text(each.get("after", "")))
            for each in self.intent.get("edits") or ()
        ]
        return bool(edits) and all(
            value_at(step.before, path) == before and value_at(step.after, path) == after
            for path, before, after in edits
        )


class Judge:
    """Compares what was seen."""

    def __init__(self, story: Story, witness: Witness, posts: Iterable[Post], *, edited: set[int]) -> None:
        self._story, self._witness, self._posts, self._edited = story, witness, list(posts), edited
        self._draws = {each.name: each for each in story.plans}
        self._short = witness.place.short
        self.steps = sorted(witness.steps(), key=lambda each: each.version)
        self._written = {seen.version: (post, seen) for post in self._posts for seen in post.proxy.log if seen.version}
        self._last = {name: versions[-1] for name, versions in witness.plans().items()}
        self._meddled = {each.target for each in self.steps if each.version in edited}

    def writer(self, version: int) -> str:
        """Names who wrote a version."""
        if version in self._edited:
            return "somebody"
        found = self._written.get(version)
        return found[0].name if found else "nobody known"

    def complaints(self) -> Iterator[str]:
        """Yields all that is wrong."""
        checks: tuple[Callable[[], Iterator[str]], ...] = (
            self._each_step_is_one_claim,
            self._nodes_are_cordoned_once,
            self._ends_are_justified,
            self._each_step_was_recorded_before,
            self._nothing_is_late,
            self._only_the_leader_writes,
            self._lives_go_forward,
            self._targets_are_changed_by_one_at_a_time,
            self._twins_are_done_once,
            self._rates_hold,
            self._dependents_come_after,
        )
        for check in checks:
            yield from (f"{check.__name__.strip('_')}: {each}" for each in check())

    # -------------------------------------------------------------------------------- what was done

    def _claims(self) -> list[Claim]:
        found = []
        for name, version in self._last.items():
            decisions = {each["id"]: each for each in version.raw["spec"]["decisions"]}
            for record in (version.raw.get("status") or {}).get("decisions") or ():
                for way, intents in (("do", record.get("intents")), ("undo", record.get("undo"))):
                    found += [
                        Claim(plan=name, decision=decisions[record["id"]], record=record, way=way, intent=each)
                        for each in intents or ()
                    ]
        return found

    def _each_step_is_one_claim(self) -> Iterator[str]:
        steps = {(each.after["metadata"]["name"], each.generation): each for each in self._operators("workload")}
        claims = defaultdict(list)
        for claim in self._claims():
            if claim.intent["kind"] != "Node" and claim.intent.get("edits"):
                claims[claim.target].append(claim)
        for place, step in steps.items():
            mine = [each for each in claims[place] if each.explains(step)]
            if len(mine) != 1:
                who = [f"{each.plan}/{each.record['id']}" for each in claims[place]] or "no plan"
                yield f"{step.target} became {step.describe()} (generation {step.generation}), told of by {who}"
        for place, told in claims.items():
            step_there = steps.get(place)
            for claim in told:
                seen = step_there is not None and claim.explains(step_there)
                if claim.made and not seen and self._short(place[0]) not in self._meddled:
                    yield f"{claim.plan}/{claim.record['id']} says {claim.way} of {place}, which nobody saw"

    def _each_step_was_recorded_before(self) -> Iterator[str]:
        """Whoever dies in between is followed by somebody who knows what was meant."""
        steps = {(each.after["metadata"]["name"], each.generation): each for each in self._operators("workload")}
        for claim in self._claims():
            step = steps.get(claim.target)
            if claim.intent["kind"] == "Node" or step is None or not claim.explains(step):
                continue
            before = [each for each in self._witness.plans()[claim.plan] if each.number < step.version]
            if not before or claim.intent not in _intents(before[-1].raw, claim.record["id"], claim.way):
                yield f"{claim.plan}/{claim.record['id']}: {step.target} became {step.describe()}, unrecorded"

    def _operators(self, what: Literal["workload", "node"]) -> Iterator[Step]:
        for each in self.steps:
            if each.version not in self._edited and (each.after["kind"] == "Node") == (what == "node"):
                yield each

    def _nodes_are_cordoned_once(self) -> Iterator[str]:
        flips = Counter(bool(each.after["spec"].get("unschedulable")) for each in self._operators("node"))
        wanted: Counter[bool] = Counter()
        for claim in self._claims():
            if claim.intent["kind"] == "Node" and claim.made:
                wanted[claim.way == "do"] += 1
                if claim.way == "do" and claim.intent.get("temporary") and claim.record["state"] == "Done":
                    wanted[False] += 1
        if flips != wanted:
            yield f"seen {dict(flips)}, told of {dict(wanted)}"

    # -------------------------------------------------------------------------------- how it ended

    def _ends_are_justified(self) -> Iterator[str]:
        for name, version in self._last.items():
            status = version.raw.get("status") or {}
            state, draw = status.get("state") or "none", self._draws[name]
            if version.gone:
                if draw.gone_after is None:
                    yield f"{name} was deleted by nobody known"
                continue
            if state not in self._ends(draw):
                yield f"{name} is {state}: {status.get('message')}"
            yield from (f"{name} is {state}, and {each}" for each in _contradictions(state, draw, status))

    def _ends(self, draw: Draw) -> set[str]:
        ends = set(draw.ends)
        targets = {each["target"]["name"] for each in draw.decisions}
        if targets & self._meddled:
            ends |= {"Failed", "RolledBack", "Completed"}
        if any(self._says_anew(other, draw) for other in self._draws.values()):
            ends.add("Superseded")
        return ends

    def _says_anew(self, other: Draw, draw: Draw) -> bool:
        if other is draw or other.source != draw.source or other.spec.get("mode") or draw.spec.get("mode"):
            return False
        said, anew = [{(each["verb"], each["target"]["name"]) for each in one.decisions} for one in (draw, other)]
        return said <= anew

    # -------------------------------------------------------------------------------- when, and by whom

    def _nothing_is_late(self) -> Iterator[str]:
        for claim in self._claims():
            if claim.way == "undo":
                continue
            for step in self.steps:
                if claim.target == (step.after["metadata"]["name"], step.generation) and claim.explains(step):
                    sent = self._written.get(step.version)
                    late = sent[1].at - self._deadline(claim) if sent else 0.0
                    if late > _LAG:
                        yield f"{claim.plan}/{claim.record['id']} was begun {late:.2f} s after its time"

    def _deadline(self, claim: Claim) -> float:
        raw = self._last[claim.plan].raw
        moments = [parse_time(raw["metadata"]["creationTimestamp"]), parse_time(raw["spec"].get("createdAt") or "-")]
        born = min(each for each in moments if each is not None)
        seconds = DEADLINE if claim.decision.get("ttl") == "60s" else 900.0
        return (born + timedelta(seconds=seconds)).timestamp()

    def _only_the_leader_writes(self) -> Iterator[str]:
        leases = self._witness.leases()
        for post in self._posts:
            for seen in post.proxy.log:
                if seen.write and not seen.lease and not seen.dry:
                    yield from self._as_leader(post, seen, leases)

    def _as_leader(self, post: Post, seen: Seen, leases: list[Version]) -> Iterator[str]:
        if seen.version and 0 < seen.status < 300:
            holder = [each for each in leases if each.number < seen.version][-1:]
            if not holder or holder[0].raw["spec"].get("holderIdentity") != post.identity:
                yield f"{post.name} made {seen.method} {seen.path}, and did not lead"
        since = [each for each in leases if each.raw["spec"].get("holderIdentity") == post.identity]
        after = [each for each in leases if since and each.number > since[-1].number]
        taken = _acquired(after[0].raw) if after else None
        if not since or (taken is not None and seen.at > taken.timestamp() + _LAG):
            yield f"{post.name} sent {seen.method} {seen.path}, and did not lead any more"

    # -------------------------------------------------------------------------------- lives

    def _lives_go_forward(self) -> Iterator[str]:
        for name, versions in self._witness.plans().items():
            for one, two in pairwise(versions):
                before, after = (each.raw.get("status") or {} for each in (one, two))
                was, now = before.get("state") or "", after.get("state") or ""
                if was != now and (was in FINISHED or (was in _ORDER and now in _ORDER and _backwards(was, now))):
                    yield f"{name} was {was} and became {now}"
                yield from (f"{name}: {each}" for each in _strange(before, after))

    def _targets_are_changed_by_one_at_a_time(self) -> Iterator[str]:
        versions = [(each.number, name, each) for name, found in self._witness.plans().items() for each in found]
        acting: dict[str, frozenset[Any]] = {}
        for _, name, version in sorted(versions, key=lambda each: each[0]):
            status = version.raw.get("status") or {}
            if status.get("state") not in ACTING or version.gone:
                acting.pop(name, None)
                continue
            targets = targets_of(version.raw)
            for other, theirs in acting.items():
                if other != name and targets & theirs:
                    yield f"{name} and {other} have {', '.join(map(str, targets & theirs))}"
            acting[name] = targets

    def _twins_are_done_once(self) -> Iterator[str]:
        known = defaultdict(list)
        for name, version in self._last.items():
            if "planId" in self._draws[name].spec:
                known[version.raw["spec"]["planId"]].append((version.raw.get("status") or {}).get("state"))
        for plan_id, states in known.items():
            if len(states) == 2 and states.count("Rejected") != 1:
                yield f"{plan_id}: {states}"

    def _rates_hold(self) -> Iterator[str]:
        slow = [each for each in self._operators("workload") if each.target == "slow"]
        if len(slow) > 1 and slow[-1].at - slow[0].at < 60:
            yield f"{len(slow)} restarts within a minute"

    def _dependents_come_after(self) -> Iterator[str]:
        places = {(each.after["metadata"]["name"], each.generation): each.version for each in self.steps}
        made = {
            (claim.plan, claim.record["id"]): places[claim.target]
            for claim in self._claims()
            if claim.way == "do" and claim.target in places and claim.intent.get("edits")
        }
        for claim in self._claims():
            for before in claim.decision.get("dependsOn") or ():
                one, two = made.get((claim.plan, before)), made.get((claim.plan, claim.record["id"]))
                if one and two and one > two:
                    yield f"{claim.plan}: {claim.record['id']} came before {before}"


def _intents(raw: Manifest, decision: str, way: Literal["do", "undo"]) -> list[Manifest]:
    for record in (raw.get("status") or {}).get("decisions") or ():
        if record["id"] == decision:
            return list(record.get("intents" if way == "do" else "undo") or ())
    return []


def _contradictions(state: str, draw: Draw, status: Manifest) -> Iterator[str]:
    records = status.get("decisions") or ()
    states = {each["state"] for each in records}
    if state == "Completed":
        wanted = {"Simulated"} if draw.spec.get("mode") else {"Done"}
        if states != wanted:
            yield f"its decisions are {sorted(states)}"
    elif state == "RolledBack" and states & {"Done", "Executing", "Undoing", "UndoFailed"}:
        yield f"its decisions are {sorted(states)}"
    elif state in ("Expired", "Rejected", "Superseded") and any(each.get("intents") for each in records):
        yield "something of it was begun"


def _strange(before: Manifest, after: Manifest) -> Iterator[str]:
    was = {each["id"]: each for each in before.get("decisions") or ()}
    for record in after.get("decisions") or ():
        former = was.get(record["id"])
        if former is None or former["state"] == record["state"]:
            continue
        if record["state"] not in _reachable(former["state"]):
            yield f"{record['id']} was {former['state']} and became {record['state']}"


def _reachable(state: str) -> set[str]:
    """Gives the states after one: several may be gone through in one write."""
    found: set[str] = set()
    coming = {state}
    while coming:
        coming = {each for one in coming for each in _NEXT.get(one, ())} - found
        found |= coming
    return found


def _backwards(was: str, now: str) -> bool:
    return _ORDER.index(now) < _ORDER.index(was) and not (was == "Scheduled" and now == "AwaitingApproval")


def _acquired(lease: Manifest) -> datetime | None:
    return parse_time(str(lease["spec"].get("acquireTime") or "-"))
