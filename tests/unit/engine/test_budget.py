"""The ledger under every interleaving: passes that begin, end, fail and die, restarts, and limits that change."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sentinel_operator.api.sentinelconfig import ChangeBudget
from sentinel_operator.core.budget.claim import Claimant
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.budget import Ledger

NAMES = tuple(f"{namespace}/{number}" for namespace in "ab" for number in range(4))
GPUS = {"a/0", "a/1", "b/0", "b/1"}


def model(name: str, *, stable: str = "1", candidate: str = "", phase: str = "", priority: int = 0) -> Manifest:
    namespace, _, rest = name.partition("/")
    return {
        "kind": "SentryModel",
        "metadata": {"namespace": namespace, "name": rest, "uid": name},
        "spec": {"rollout": {"priority": priority}, "runtime": {"gpu": {}} if name in GPUS else {}},
        "status": {"rollout": {"stable": stable, "candidate": candidate, "phase": phase}},
    }


class Scene:
    """A ledger over objects, whose passes the test makes."""

    def __init__(self, **limits: int | None) -> None:
        self.objects: dict[Claimant, Manifest] = {}
        self.limits = ChangeBudget(**limits)
        self.woken: list[str] = []
        self.clock = 0
        self.restart()

    def restart(self) -> None:
        self.later: list[object] = []
        self.ledger = Ledger(
            budget=lambda: self.limits,
            wake=lambda who: self.woken.append(f"{who.namespace}/{who.name}"),
            soon=self.later.append,
            now=lambda: datetime.fromtimestamp(self.clock, UTC),
        )
        for who, raw in self.objects.items():
            self.ledger.seen(who, raw)

    def see(self, name: str, **status: str) -> Manifest:
        raw = model(name, **status)  # type: ignore[arg-type]
        self.objects[Claimant.of(raw)] = raw
        self.ledger.seen(Claimant.of(raw), raw)
        return raw

    def passes(self, name: str) -> bool:
        """A whole pass of one that wants to begin: asks, and writes what became of it."""
        raw = self.objects.get(who_of(name)) or self.see(name)
        granted = self.ledger.ask(raw).granted
        self.see(name, **({"candidate": "2"} if granted else {"phase": "Waiting"}))
        self.ledger.passed(who_of(name))
        return granted

    def ends(self, name: str) -> None:
        self.see(name, stable="2")

    def awake(self) -> list[str]:
        """Lets the loop come round; gives whom that has woken, in order."""
        later = tuple(self.later)
        self.later.clear()
        for each in later:
            each()  # type: ignore[operator]
        woken, self.woken = self.woken, []
        return woken


def who_of(name: str) -> Claimant:
    return Claimant("SentryModel", *name.split("/"))


def test_the_last_slot_goes_to_one_of_two_passes_at_once():
    scene = Scene(max_concurrent_rollouts=1)
    first, second = scene.see("a/0"), scene.see("a/1")
    assert scene.ledger.ask(first).granted
    told = scene.ledger.ask(second)
    assert not told.granted
    assert "taken by a/0" in told.waits_for


def test_the_next_is_woken_when_one_ends_and_the_others_when_they_move_up():
    scene = Scene(max_concurrent_rollouts=1)
    for name in ("a/0", "a/1", "a/2"):
        scene.passes(name)
        scene.clock += 1
    assert scene.awake() == []
    scene.ends("a/0")
    assert scene.awake() == ["a/1", "a/2"]
    assert not scene.passes("a/2")
    assert scene.passes("a/1")


def test_those_far_behind_sleep_on():
    scene = Scene(max_concurrent_rollouts=1)
    for number in range(30):
        scene.passes(f"a/{number:02}")
        scene.clock += 1
    scene.awake()
    scene.ends("a/00")
    assert scene.awake() == [f"a/{number:02}" for number in range(1, 11)]


def test_a_higher_limit_wakes_those_that_may_begin_now_in_order():
    scene = Scene(max_concurrent_rollouts=0)
    for number in range(4):
        scene.passes(f"a/{number}")
        scene.clock += 1
    scene.limits = ChangeBudget(max_concurrent_rollouts=2)
    scene.ledger.limits_changed(scene.objects.items())
    assert scene.awake()[:2] == ["a/0", "a/1"]
    scene.limits = ChangeBudget()
    scene.ledger.limits_changed(scene.objects.items())
    assert scene.awake() == ["a/2", "a/3"]
    assert scene.ledger.unasked().granted


def test_a_slot_that_was_granted_and_not_used_is_free_again():
    scene = Scene(max_concurrent_rollouts=1)
    raw = scene.see("a/0")
    assert scene.ledger.ask(raw).granted
    assert not scene.passes("a/1")
    scene.ledger.passed(who_of("a/0"))
    assert scene.awake() == ["a/1"]
    assert scene.passes("a/1")


def test_one_whose_passes_fail_does_not_keep_the_others():
    scene = Scene(max_concurrent_rollouts=1)
    raw = scene.see("a/0", phase="Waiting")
    assert not scene.passes("a/1")
    assert scene.ledger.ask(raw).granted
    scene.ledger.failed(who_of("a/0"), certain=True)
    assert scene.awake() == ["a/1"]
    assert scene.passes("a/1")
    assert not scene.ledger.ask(raw).granted


def test_while_it_is_not_known_whether_it_has_begun_its_slot_stays_taken():
    scene = Scene(max_concurrent_rollouts=1)
    raw = scene.see("a/0")
    assert scene.ledger.ask(raw).granted
    scene.ledger.failed(who_of("a/0"), certain=False)
    assert not scene.passes("a/1")
    assert scene.ledger.ask(raw).granted
    scene.ledger.failed(who_of("a/0"), certain=False)
    assert scene.ledger.ask(raw).granted
    scene.ledger.failed(who_of("a/0"), certain=False)
    assert scene.passes("a/1"), "three times is enough: whatever was written would have been seen"


def test_a_deleted_one_frees_its_slot():
    scene = Scene(max_concurrent_rollouts=1)
    assert scene.passes("a/0")
    assert not scene.passes("a/1")
    scene.ledger.seen(who_of("a/0"), None)
    assert scene.awake() == ["a/1"]


def test_one_that_waits_by_its_status_alone_does_not_keep_the_others():
    """Its spec does not validate any more, say: no pass of it asks, and its status is not about the rollout."""
    scene = Scene(max_concurrent_rollouts=1)
    scene.see("a/0", phase="Waiting")
    assert not scene.passes("a/1")
    scene.ledger.passed(who_of("a/0"))
    assert scene.awake() == ["a/1"]


def test_how_many_are_under_way_and_wait_can_be_read():
    scene = Scene(max_concurrent_rollouts=2)
    for number in range(5):
        scene.passes(f"a/{number}")
    assert (scene.ledger.holding, scene.ledger.waiting) == (2, 3)


class Interleaved(RuleBasedStateMachine):
    """Passes overlap: each has asked, and has neither written nor ended."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene(max_concurrent_rollouts=2, per_namespace=1)
        self.open: dict[str, bool] = {}
        self.unseen: dict[str, int] = {}
        self.limits = (2, 1, None)

    @property
    def running(self) -> list[str]:
        return [f"{who.namespace}/{who.name}" for who, raw in self.scene.objects.items() if _candidate(raw)]

    def _raw(self, name: str) -> Manifest:
        return self.scene.objects.get(who_of(name)) or self.scene.see(name)

    @rule(name=st.sampled_from(NAMES))
    def a_pass_asks(self, name: str) -> None:
        if name in self.open or name in self.running:
            return
        granted = self.scene.ledger.ask(self._raw(name)).granted
        if granted:
            for taken, slots in self._taken([*self.running, *(each for each, had in self.open.items() if had), name]):
                assert taken <= slots, "more than the limit would be under way"
        self.open[name] = granted

    @precondition(lambda self: self.open)
    @rule(data=st.data(), how=st.sampled_from(["writes", "writes", "gives up", "fails", "fails unseen"]))
    def a_pass_ends(self, data: st.DataObject, how: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.open)))
        granted = self.open.pop(name)
        who = who_of(name)
        if how == "writes":
            self.scene.see(name, **({"candidate": "2"} if granted else {"phase": "Waiting"}))
        if how in {"writes", "gives up"}:
            self.scene.ledger.passed(who)
        else:
            self.scene.ledger.failed(who, certain=how == "fails")
            self.unseen[name] = self.unseen.get(name, 0) + 1 if how == "fails unseen" else 0
            if granted and 0 < self.unseen[name] < 3:
                self.open[name] = granted  # it may have been written: it counts until the next attempt
                return
        self.unseen[name] = 0

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_rollout_ends(self, data: st.DataObject) -> None:
        self.scene.ends(data.draw(st.sampled_from(sorted(self.running))))

    @rule(name=st.sampled_from(NAMES))
    def an_object_is_deleted(self, name: str) -> None:
        if name not in self.open and self.scene.objects.pop(who_of(name), None) is not None:
            self.scene.ledger.seen(who_of(name), None)

    @rule()
    def the_leader_dies(self) -> None:
        self.open.clear()
        self.unseen.clear()
        self.scene.restart()

    @rule(limits=st.tuples(*(st.none() | st.integers(0, 3),) * 3))
    def the_limits_change(self, limits: tuple[int | None, int | None, int | None]) -> None:
        if any(self.open.values()):
            return
        cluster, namespace, gpus = limits
        self.limits = limits
        self.scene.limits = ChangeBudget(max_concurrent_rollouts=cluster, per_namespace=namespace, per_gpu_class=gpus)
        self.scene.ledger.limits_changed(self.scene.objects.items())

    @invariant()
    def the_ledger_counts_what_runs(self) -> None:
        assert self.scene.ledger.holding == len({*self.running, *(name for name, had in self.open.items() if had)})

    def _taken(self, names: list[str]) -> list[tuple[int, int]]:
        newest, unique = names[-1], set(names)
        same = {name for name in unique if name[0] == newest[0]}
        counts = (len(unique), len(same), len(unique & GPUS) if newest in GPUS else 0)
        return [(taken, slots) for taken, slots in zip(counts, self.limits, strict=True) if slots is not None]

    def teardown(self) -> None:
        """From wherever it is: with slots, and rollouts that end, everyone that waits has its turn."""
        for name in list(self.open):
            self.open.pop(name)
            self.scene.ledger.failed(who_of(name), certain=True)
        self.scene.limits = ChangeBudget(max_concurrent_rollouts=1, per_namespace=1, per_gpu_class=1)
        self.scene.ledger.limits_changed(self.scene.objects.items())
        waiting = {name for name in NAMES if _waits(self.scene.objects.get(who_of(name)))}
        for name in sorted(waiting):  # each retries by itself, and after that only when it is woken
            if self.scene.passes(name):
                waiting.discard(name)
        for _ in range(3 * len(NAMES)):
            for name in self.running[:1]:
                self.scene.ends(name)
            for name in self.scene.awake():
                if name in waiting and self.scene.passes(name):
                    waiting.discard(name)
        assert not waiting, "nobody woke them"


def _candidate(raw: Manifest) -> bool:
    return bool(raw["status"]["rollout"]["candidate"])


def _waits(raw: Manifest | None) -> bool:
    return raw is not None and raw["status"]["rollout"]["phase"] == "Waiting"


Interleaved.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestInterleaved = Interleaved.TestCase
