"""Where each revision that the instruction names stands in this process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import Metric

from sentinel_operator.api.active import Instruction, LocalRevision
from sentinel_operator.api.serving import ServingConfig, Termination
from sentinel_workloads.model_server.observe.cells import Counter, gauge
from sentinel_workloads.model_server.observe.figures import PREFIX
from sentinel_workloads.model_server.revision import Revision
from sentinel_workloads.model_server.swap.parity import Parity, verdict


class State(StrEnum):
    """How far a revision is."""

    FETCHING = "Fetching"
    LOADING = "Loading"
    READY = "Ready"
    FAILED = "Failed"
    REFUSED = "Refused"


PROTOCOL_STATES = {
    State.FETCHING: "LOADING",
    State.LOADING: "LOADING",
    State.READY: "READY",
    State.FAILED: "UNAVAILABLE",
    State.REFUSED: "UNAVAILABLE",
}


class Role(StrEnum):
    """What the instruction wants of it."""

    ACTIVE = "Active"
    CANDIDATE = "Candidate"
    FORMER = "Former"


@dataclass(slots=True)
class Standing:
    """One revision: its state, why it is no better, its model once that is loaded."""

    config: ServingConfig
    state: State = State.FETCHING
    reason: str = ""
    """A word for conditions, as in Termination."""
    message: str = ""
    fetched: bool = False
    """Its verified copy is there."""
    revision: Revision | None = None
    parity: Parity | None = None
    served: bool = False
    """It has been the active one in this process."""

    def fail(self, reason: str, message: str) -> None:
        """Says why it will not be ready."""
        self.state, self.reason, self.message = State.FAILED, reason, message

    def update(self, local: LocalRevision) -> None:
        """Takes what the sidecar says of a revision that is not loaded yet. What failed to load is not loaded again."""
        if self.fetched:
            return
        if local.state == "Failed":
            told = local.failure or Termination(reason="FetchFailed", message="it was not fetched")
            self.fail(told.reason, f"{told.field}: {told.message}" if told.field else told.message)
        else:
            self.fetched = local.state == "Verified"
            self.config, self.reason, self.message = local.serving, "", ""
            self.state = State.LOADING if self.fetched else State.FETCHING


def role_of(name: str, instruction: Instruction) -> Role:
    """Gives what the instruction wants of the revision."""
    if name in (instruction.active, instruction.pending):
        return Role.ACTIVE
    return Role.CANDIDATE if name == instruction.candidate else Role.FORMER


def reason_of(standing: Standing, instruction: Instruction) -> str:
    """Says in one line where the revision stands."""
    role = role_of(standing.config.revision, instruction)
    if standing.state in (State.FAILED, State.REFUSED):
        return f"{role}: {standing.reason}: {standing.message}"
    if standing.state is not State.READY:
        return f"{role}: {standing.state.lower()}"
    if role is Role.CANDIDATE:
        found, why = verdict(standing.parity, instruction.parity)
        return f"{role}: {found}: {why}"
    return str(role)


def families(
    standings: Iterable[Standing], instruction: Instruction, *, active: str, flips: dict[str, int]
) -> Iterable[Metric]:
    """Gives the metrics of the contract (api.active)."""
    for standing in standings:
        config = standing.config
        common = {"model": config.name, "revision": config.revision}
        role = role_of(config.revision, instruction)
        yield gauge(f"{PREFIX}_active", "1 for the revision that answers.", config.revision == active, common)
        yield gauge(
            f"{PREFIX}_revision_state",
            "Where a revision that the instruction names stands.",
            1,
            common,
            role=role,
            state=standing.state,
            reason=standing.reason,
        )
        yield from _swaps(flips.get(config.revision, 0), common)
        if standing.revision is not None:
            found = standing.revision.model.artifact.verification
            about = {"digest": found.digest, "authority": found.authority, "identity": found.identity}
            yield gauge(f"{PREFIX}_verification_info", "What was verified of the copy.", 1, common, **about)
        if role is Role.CANDIDATE or standing.parity is not None:
            yield from _parity(standing, instruction, common, against=active)
    serial = {"model": next((each.config.name for each in standings), "")}
    yield gauge(f"{PREFIX}_instruction_serial", "Of the last instruction read.", instruction.serial, serial)


def _swaps(count: int, common: dict[str, str]) -> Iterable[Metric]:
    counter = Counter(f"{PREFIX}_swaps", "Flips to the revision.")
    counter.add((), count)
    yield counter.family(common)


def _parity(standing: Standing, instruction: Instruction, common: dict[str, str], *, against: str) -> Iterable[Metric]:
    parity = standing.parity or Parity(against=against)
    about = {**common, "against": parity.against}
    figures = (
        ("inputs", "Requests that both ran.", parity.inputs),
        ("label_agreement", "Share of rows with the same label.", parity.agreement),
        ("score_difference_max", "Largest difference of confidence.", parity.score_difference),
        ("latency_ratio", "Median run of the candidate in those of the active.", parity.latency_ratio),
    )
    for name, text, value in figures:
        yield gauge(f"{PREFIX}_parity_{name}", text, value, about)
    found, _ = verdict(standing.parity, instruction.parity)
    yield gauge(f"{PREFIX}_parity_verdict", "What the comparison says.", 1, about, verdict=found)
