"""The controller against a simulated cluster: whatever people, crashes and kubelets do, it ends where it should."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sentinel_operator.api.serving import ExitCode
from sentinel_operator.core.plan import Scale
from sentinel_operator.core.rollout.arithmetic import bounds
from tests.support.builders import ModelBuilder, a_model
from tests.support.simulation import World

VERSIONS = ("1.0.0", "2.0.0", "3.0.0")


def model(version: str, replicas: int | None, autoscaled: tuple[int, int] | None, rollout: dict) -> ModelBuilder:
    built = a_model().with_version(version).with_rollout(**rollout)
    return built.with_autoscaling(*autoscaled) if autoscaled else built.with_replicas(replicas)


class Delivery(RuleBasedStateMachine):
    """People edit, kubelets are slow, the operator is killed in the middle of plans and loses its memory."""

    @initialize(replicas=st.integers(0, 5), surge=st.sampled_from([0, 1, "25%"]), unavailable=st.sampled_from([0, 1]))
    def declare(self, replicas, surge, unavailable):
        self.rollout = {"maxSurge": surge or (0 if unavailable else 1), "maxUnavailable": unavailable}
        self.version, self.replicas, self.autoscaled = VERSIONS[0], replicas, None
        self.broken: set[str] = set()
        self.world = World.of(self.declared(), fate=self.fate)

    def declared(self) -> ModelBuilder:
        return model(self.version, self.replicas, self.autoscaled, self.rollout)

    def fate(self, version: str) -> ExitCode | None:
        return ExitCode.StorageUnreachable if version in self.broken else None

    @rule(version=st.sampled_from(VERSIONS), broken=st.booleans())
    def another_version(self, version, broken):
        self.version = version
        (self.broken.add if broken else self.broken.discard)(version)
        self.world.edit(self.declared())

    @rule(replicas=st.integers(0, 5))
    def another_number(self, replicas):
        self.replicas, self.autoscaled = replicas, None
        self.world.edit(self.declared())

    @rule(low=st.integers(1, 3), more=st.integers(0, 3))
    def autoscaling(self, low, more):
        self.autoscaled = (low, low + more)
        self.world.edit(self.declared())

    @rule(number=st.integers(1, 4))
    def pods_stop_being_ready(self, number):
        self.world.break_pods(number)

    @rule(number=st.integers(1, 3))
    def some_pods_get_somewhere(self, number):
        self.world.kubelets_act(at_most=number)

    @rule()
    def deployments_act(self):
        self.world.deployments_act()

    @rule(load=st.integers(1, 6))
    def the_autoscaler_acts(self, load):
        self.world.autoscaler_acts(load)

    @rule()
    def the_status_is_lost(self):
        self.world.lose_status()

    @rule(seconds=st.sampled_from([1, 60, 700]))
    def time_passes(self, seconds):
        self.world.wait(seconds)

    @rule(steps=st.one_of(st.none(), st.integers(0, 12)))
    def the_operator_acts(self, steps):
        """Carries out a plan, or the beginning of one; every single step keeps the promises."""
        plan, world = self.world.plan(), self.world
        before, pods_before = world.ready(), sum(world.replicas().values())
        owned = self._autoscaled_deployment()
        for step in plan.scale:
            if isinstance(step, Scale) and step.ref.name == owned:
                assert world.objects["Deployment", owned]["spec"]["replicas"] == 0
        if self.autoscaled or owned:
            world.execute(plan, steps=steps)
            assert world.ready() >= min(before, self.autoscaled[0] if self.autoscaled else 0)
            return
        wanted = self.replicas
        limits = bounds(self.rollout["maxSurge"], self.rollout["maxUnavailable"], wanted=wanted)
        promises = []
        world.watched = lambda now: promises.append((now.ready(), sum(now.replicas().values())))
        world.execute(plan, steps=steps)
        world.watched = lambda _: None
        for ready, pods in promises:
            assert ready >= min(before, wanted - limits.unavailable)
            # a Deployment is born with one pod, before its number is set
            assert pods <= max(pods_before, wanted + limits.surge)

    def _autoscaled_deployment(self) -> str:
        for (kind, _), child in self.world.objects.items():
            if kind == "HorizontalPodAutoscaler":
                return child["spec"]["scaleTargetRef"]["name"]
        return ""

    @invariant()
    def what_is_applied_never_names_a_number_of_pods(self):
        if hasattr(self, "world"):
            plan = self.world.plan()
            assert all("replicas" not in step.manifest.get("spec", {}) for step in plan.apply)

    @precondition(lambda self: hasattr(self, "world"))
    @rule()
    def left_alone_it_comes_to_rest(self):
        self._rests()

    def teardown(self):
        if not hasattr(self, "world"):
            return
        self._rests()
        self.broken.discard(self.version)
        self._rests()
        wanted = self.replicas
        if self.autoscaled:
            wanted = self.world.replicas().get(self.version, 0)
            assert self.autoscaled[0] <= wanted <= self.autoscaled[1]
        assert self.world.replicas() == ({self.version: wanted} if wanted else {})
        assert self.world.condition("Ready")["status"] == "True"
        assert self.world.ready() == wanted

    def _rests(self) -> None:
        world = self.world
        world.settle()
        status, writes = world.status, world.status_writes
        assert world.pass_once() == 0, "a pass in a world at rest has nothing to write"
        assert (world.status, world.status_writes) == (status, writes)
        plan = world.plan()
        assert not plan.scale
        assert not plan.delete
        assert not plan.events


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
