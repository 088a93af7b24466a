"""Where requests are sent: what the Service or the route says, and what the cluster is observed to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sentinel_operator.core.names import REVISION, Owner
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.rollout.routes import Provider, Routes, RoutingView

SERVICE_NAME = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class DataPlane:
    """Ready endpoints by Service and revision, and the routing."""

    endpoints: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    routing: RoutingView = field(default_factory=RoutingView)
    refusals: tuple[str, ...] = ()
    """Which Gateways do not take the route as it is, and why."""

    def behind(self, service: str, revision: str) -> int:
        """Counts the ready endpoints of a revision behind a Service."""
        return self.endpoints.get(service, {}).get(revision, 0)


def observe_data_plane(
    owner: Owner, own: Iterable[Manifest], slices: Iterable[Manifest], *, provider: Provider
) -> DataPlane:
    """Reads Services, routes and EndpointSlices as the API server has them."""
    found: dict[str, set[tuple[str, str]]] = {}
    for each in slices:
        service = (each["metadata"].get("labels") or {}).get(SERVICE_NAME, "")
        found.setdefault(service, set()).update(_ready_pods(owner, each))
    endpoints = {service: Counter(revision for _, revision in pods) for service, pods in found.items()}
    live = {(child["kind"], child["metadata"]["name"]): child for child in own}
    if provider == "Gateway":
        route = live.get(("HTTPRoute", owner.name))
        return DataPlane(endpoints, _by_route(owner, route), tuple(_refusals(route)))
    return DataPlane(endpoints, _by_service(live.get(("Service", owner.name)), endpoints.get(owner.name, {})))


def _ready_pods(owner: Owner, slice_: Manifest) -> set[tuple[str, str]]:
    """Gives name and revision of each pod that is among the ready endpoints; of two address families one counts."""
    pods = set()
    for endpoint in slice_.get("endpoints") or ():
        target = endpoint.get("targetRef") or {}
        if target.get("kind") == "Pod" and (endpoint.get("conditions") or {}).get("ready", True):
            name = str(target.get("name", ""))
            pods.add((name, _revision_in(owner, name)))
    return pods


def _revision_in(owner: Owner, pod: str) -> str:
    """A pod is named after its ReplicaSet, which is named after the revision's Deployment."""
    return pod.removeprefix(f"{owner.name}-").partition("-")[0]


def _by_service(service: Manifest | None, endpoints: Mapping[str, int]) -> RoutingView:
    if service is None:
        return RoutingView()
    revision = (service["spec"].get("selector") or {}).get(REVISION, "")
    version = str(service["metadata"].get("resourceVersion", ""))
    if revision:
        return RoutingView(written=Routes.only(revision), version=version)
    total = sum(endpoints.values())
    shares = ((name, max(1, round(100 * count / total))) for name, count in sorted(endpoints.items()) if count)
    return RoutingView(written=Routes(tuple(shares), shared=True), version=version)


def _by_route(owner: Owner, route: Manifest | None) -> RoutingView:
    if route is None:
        return RoutingView()
    weights = {
        str(backend["name"]).removeprefix(f"{owner.name}-"): int(backend.get("weight", 1))
        for rule in route["spec"].get("rules") or ()
        for backend in rule.get("backendRefs") or ()
        if str(backend.get("name", "")).startswith(f"{owner.name}-")
    }
    total = sum(weights.values())
    shares = {name: round(100 * weight / total) for name, weight in weights.items() if weight} if total else {}
    written = Routes(tuple(sorted(shares.items())))
    version = str(route["metadata"].get("generation", ""))
    return RoutingView(written=written, accepted=written if _accepted(route) else None, version=version)


def _accepted(route: Manifest) -> bool:
    """Every Gateway that the route names has taken it as it is now."""
    parents = (route.get("status") or {}).get("parents") or ()
    wanted = len(route["spec"].get("parentRefs") or ())
    generation = route["metadata"].get("generation")
    taken = [
        parent
        for parent in parents
        for condition in parent.get("conditions") or ()
        if condition.get("type") == "Accepted"
        and condition.get("status") == "True"
        and condition.get("observedGeneration") == generation
    ]
    return len(taken) >= wanted > 0


def _refusals(route: Manifest | None) -> Iterator[str]:
    """An old word on an older route does not count."""
    if route is None:
        return
    for parent in (route.get("status") or {}).get("parents") or ():
        for condition in parent.get("conditions") or ():
            current = condition.get("observedGeneration") == route["metadata"].get("generation")
            if condition.get("type") == "Accepted" and condition.get("status") == "False" and current:
                name = (parent.get("parentRef") or {}).get("name", "")
                told = f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ")
                yield f"Gateway {name} does not accept the route: {told}"
