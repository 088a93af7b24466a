"""What happens in one run, drawn from its seed alone: plans, and what goes wrong meanwhile."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Literal

from sentinel_operator.core.plan import Manifest

Upset = Literal["kill", "pause", "hold", "drop watches"]
When = Literal["before", "taken"]
Ends = frozenset[str]
DONE: Ends = frozenset({"Completed"})
DEADLINE = 60.0
"""The shortest ttl there is, in seconds."""
SOURCES = ("alice", "bob", "carol", "dave", "erin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One plan as it will be created."""

    name: str
    decisions: tuple[Manifest, ...]
    ends: Ends
    """How it may end if nobody overtakes it and no time runs out."""
    about: str
    source: str
    spec: dict[str, Any] = field(default_factory=dict)
    after: float = 0.0
    """Seconds after the beginning at which it is created."""
    left: float | None = None
    """Seconds that are left of its ttl when it is created; None where that is no matter."""
    cluster: bool = False
    """It is one of those that may touch Nodes."""
    gone_after: float | None = None
    """Seconds after its creation at which somebody deletes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """Something that happens to the leader at its n-th write, counted over all replicas."""

    write: int
    when: When
    what: Upset
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """Something that happens to the n-th request of a kind, and to some after it."""

    requests: str
    skip: int
    times: int
    what: str
    status: int = 0
    delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Somebody changes a target by hand."""

    after: float
    target: str
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All of it."""

    seed: int
    plans: tuple[Draw, ...]
    blows: tuple[Blow, ...]
    mishaps: tuple[Mishap, ...]
    edits: tuple[Edit, ...]

    @classmethod
    def of(cls, seed: int) -> Story:
        """Draws it; the same seed is the same story."""
        rng = random.Random(seed)
        plans = _Plans(rng)
        for _ in range(rng.randint(3, 6)):
            rng.choices(*zip(*_KINDS, strict=True))[0](plans)
        edits = (
            [Edit(after=rng.uniform(0.3, 3), target="web", replicas=rng.randint(1, 3))] if rng.random() < 0.12 else []
        )
        return cls(
            seed=seed,
            plans=tuple(plans.drawn),
            blows=tuple(_blows(rng)),
            mishaps=tuple(_mishap(rng) for _ in range(rng.choice((0, 1, 2, 3, 4)))),
            edits=tuple(edits),
        )

    @property
    def targets(self) -> frozenset[str]:
        """Names what has to be there."""
        return frozenset(each["target"]["name"] for plan in self.plans for each in plan.decisions) | {
            each.target for each in self.edits
        }


def _blows(rng: random.Random) -> list[Blow]:
    at, found = 0, []
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        at += rng.randint(1, 35)
        what = rng.choice(("kill", "kill", "kill", "pause", "pause", "hold", "hold", "drop watches"))
        found.append(Blow(write=at, when=rng.choice(("before", "taken")), what=what, seconds=rng.uniform(0.3, 2.0)))
    return found


def _mishap(rng: random.Random) -> Mishap:
    what = rng.choice(("status", "status", "cut before", "cut after", "cut after", "late", "stuck", "cut watch"))
    requests = rng.choice(("statuses", "statuses", "changes", "changes", "writes", "reads", "lists", "leases"))
    if what == "cut watch":
        requests = "watches"
    if requests == "leases":
        what = rng.choice(("status", "cut before", "cut after"))
    return Mishap(
        requests=requests,
        skip=rng.randint(0, 4 if requests in ("changes", "watches", "leases") else 20),
        times=rng.choice((1, 1, 2, 3)),
        what=what,
        status=rng.choice((429, 500, 503, 504)) if what == "status" else 0,
        delay=rng.uniform(0.2, 0.9) if what == "late" else 3.0 if what == "stuck" else 0.0,
    )


class _Plans:
    """The plans as they are drawn."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.drawn = rng, list[Draw]()

    def add(self, about: str, *decisions: Manifest, ends: Ends = DONE, **more: Any) -> Draw:
        rng = self.rng
        made = Draw(
            name=f"p{len(self.drawn)}",
            decisions=decisions,
            ends=ends,
            about=about,
            **{"after": rng.choice((0.0, rng.uniform(0, 2.5))), "source": rng.choice(SOURCES), **more},
        )
        self.drawn.append(made)
        return made

    # -------------------------------------------------------------------------------- decisions

    def restart(self, *names: str, id_: str = "restart", **more: Any) -> Manifest:
        return _decision(id_, "restart", self.rng.choice(names or ("web", "idle", "set")), **more)

    def scale(self, *names: str, id_: str = "scale", **more: Any) -> Manifest:
        name = self.rng.choice(names or ("web", "set"))
        return _decision(id_, "scale", name, params={"replicas": self.rng.choice((1, 2, "3"))}, **more)

    # -------------------------------------------------------------------------------- plans

    def simple(self) -> None:
        self.add("one change", self.rng.choice((self.restart, self.scale))())

    def paused(self) -> None:
        self.add("a Deployment is paused", _decision("pause", "pause", "stopped"))

    def rolled(self) -> None:
        self.add("an earlier revision", _decision("back", "rollback", "rolled"))

    def chain(self) -> None:
        one = self.restart("idle", id_="one")
        two = self.scale(id_="two", dependsOn=["one"])
        three = self.restart("set", id_="three", dependsOn=self.rng.choice((["one"], ["two"], ["one", "two"])))
        line = [three, two, one] if self.rng.random() < 0.5 else [one, two, three]
        self.add("one after the other", *line)

    def wrong(self) -> None:
        failure = self.rng.choice(("Rollback", "Rollback", "Rollback", "Stop"))
        decisions = [self.rng.choice((self.scale, self.restart))()]
        if self.rng.random() < 0.4:
            decisions.append(self.restart("idle", id_="too"))
        ends = frozenset({"RolledBack"}) if failure == "Rollback" else frozenset({"Failed"})
        self.add("found wrong", *decisions, ends=ends, spec={"onFailure": failure, "verify": "wrong"})

    def right(self) -> None:
        self.add("found right", self.scale(), spec={"verify": "right"})

    def late(self) -> None:
        left = self.rng.choice((self.rng.uniform(-1, 0.5), self.rng.uniform(0.5, 8), self.rng.uniform(0.5, 8)))
        decisions = [{**self.rng.choice((self.restart, self.scale))(), "ttl": "60s"}]
        if self.rng.random() < 0.4:
            decisions.append({**self.restart("idle", id_="too"), "ttl": "60s"})
        self.add("little time", *decisions, left=left, ends=frozenset({"Completed", "Expired", "RolledBack"}))

    def refused(self) -> None:
        self.add("too many", _decision("scale", "scale", "kept", params={"replicas": 9}), ends=frozenset({"Rejected"}))

    def limited(self) -> None:
        ends = frozenset({"Completed", "Rejected", "Expired"})
        for _ in range(self.rng.randint(2, 3)):
            decision = {**_decision("restart", "restart", "slow"), "ttl": "60s"}
            self.add("at most one a minute", decision, ends=ends, left=self.rng.uniform(4, 9))

    def twins(self) -> None:
        ends, source = frozenset({"Completed", "Rejected"}), self.rng.choice(SOURCES)
        one = self.add("the same plan twice", self.restart(), ends=ends, source=source, spec={"planId": "twin"})
        spec = {"planId": f"twin-{one.name}"}
        self.drawn[-1] = Draw(**{**_fields(one), "spec": spec})
        self.add("the same plan twice", *one.decisions, ends=ends, source=source, spec=spec)

    def broken(self) -> None:
        """The second of three cannot be done."""
        failure = self.rng.choice(("Rollback", "Stop", "Continue"))
        wrong = self.restart("idle", id_="two", preconditions={"uid": "another"})
        line = [self.scale(id_="one"), wrong, self.restart("set", id_="three")]
        ends = frozenset({"RolledBack"}) if failure == "Rollback" else frozenset({"Failed"})
        self.add(f"the second cannot be done: {failure}", *line, ends=ends, spec={"onFailure": failure})

    def dry(self) -> None:
        self.add("a dry run", self.scale(), spec={"mode": self.rng.choice(("DryRun", "Shadow"))})

    def drained(self) -> None:
        node = _decision("drain", "drain", "node", kind="Node")
        if self.rng.random() < 0.35:
            self.add(
                "a node is emptied, wrongly",
                node,
                ends=frozenset({"RolledBack"}),
                spec={"onFailure": "Rollback", "verify": "wrong"},
                cluster=True,
            )
        else:
            self.add("a node is emptied", node, cluster=True)

    def moved(self) -> None:
        decision = _decision("move", "reschedule", "moved", params={"node": "node"})
        self.add("pods leave a node", decision, cluster=self.rng.random() < 0.6)

    def withdrawn(self) -> None:
        line = [self.restart(id_="one"), self.restart("idle", id_="two")]
        ends = frozenset({"Completed", "gone"})
        self.add("deleted on its way", *line, ends=ends, gone_after=self.rng.uniform(0.05, 2))


_KINDS = (
    (_Plans.simple, 6),
    (_Plans.paused, 1),
    (_Plans.rolled, 1),
    (_Plans.chain, 3),
    (_Plans.wrong, 4),
    (_Plans.right, 1),
    (_Plans.late, 4),
    (_Plans.refused, 1),
    (_Plans.limited, 1),
    (_Plans.twins, 2),
    (_Plans.broken, 2),
    (_Plans.dry, 1),
    (_Plans.drained, 2),
    (_Plans.moved, 2),
    (_Plans.withdrawn, 1),
)


def _decision(id_: str, verb: str, name: str, *, kind: str = "", **more: Any) -> Manifest:
    kind = kind or ("StatefulSet" if name == "set" else "Deployment")
    version = "v1" if kind == "Node" else "apps/v1"
    return {"id": id_, "verb": verb, "target": {"apiVersion": version, "kind": kind, "name": name}, **more}


def _fields(draw: Draw) -> dict[str, Any]:
    return {name: getattr(draw, name) for name in Draw.__dataclass_fields__}
