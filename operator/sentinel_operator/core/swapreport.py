"""What one pod says of the revisions that it holds: which one answers, what the others wait for, how they compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from prometheus_client.parser import text_string_to_metric_families

SERVER = "sentinel_model_server"
_SERIAL = f"{SERVER}_instruction_serial"
_ACTIVE = f"{SERVER}_active"
_STATE = f"{SERVER}_revision_state"
_VERDICT = f"{SERVER}_parity_verdict"
_INPUTS = f"{SERVER}_parity_inputs"
_AGREEMENT = f"{SERVER}_parity_label_agreement"
_DIFFERENCE = f"{SERVER}_parity_score_difference_max"
_VERIFIED = f"{SERVER}_verification_info"
_WANTED = (_SERIAL, _ACTIVE, _STATE, _VERDICT, _INPUTS, _AGREEMENT, _DIFFERENCE, _VERIFIED)
MAX_LINES = 200

HeldState = Literal["Fetching", "Loading", "Ready", "Failed", "Refused"]
ParityVerdict = Literal["Pass", "Fail", "Inconclusive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One revision in one pod. The comparison is with the one that answers, on the same real inputs."""

    state: HeldState = "Fetching"
    reason: str = ""
    verdict: ParityVerdict = "Inconclusive"
    inputs: int = 0
    agreement: float = 0.0
    difference: float = 0.0
    digest: str = ""
    """Of the copy that the pod has verified; `authority` and `identity` as in Verification."""
    authority: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapReport:
    """All of one pod, as of one look."""

    serial: int
    """Of the last instruction that it has read."""
    active: str = ""
    """The revision that answers."""
    held: Mapping[str, Held] = field(default_factory=dict)


def read_report(text: str) -> SwapReport | None:
    """Reads a pod's metrics; None where it does not follow instructions, or tells them in no way that can be read."""
    lines = [line for line in text.splitlines() if line.startswith(_WANTED)]
    if not lines or len(lines) > MAX_LINES:
        return None
    serial, active = -1, ""
    found: dict[str, dict[str, object]] = {}
    try:
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            for sample in family.samples:
                labels, revision = sample.labels, sample.labels.get("revision", "")
                if sample.name == _SERIAL:
                    serial = int(sample.value)
                elif sample.name == _ACTIVE and sample.value == 1:
                    active = revision
                elif sample.name in _FIELDS or sample.name in {_STATE, _VERDICT, _VERIFIED}:
                    found.setdefault(revision, {}).update(_told(sample.name, labels, sample.value))
    except (ValueError, IndexError, KeyError, OverflowError):
        return None
    held = {name: Held(**told) for name, told in found.items()}  # type: ignore[arg-type]
    return SwapReport(serial=serial, active=active, held=held) if serial >= 0 else None


_FIELDS = {_AGREEMENT: "agreement", _DIFFERENCE: "difference", _INPUTS: "inputs"}


def _told(name: str, labels: Mapping[str, str], value: float) -> dict[str, object]:
    if name == _STATE:
        state = labels.get("state", "")
        if state not in get_args(HeldState):
            raise ValueError(state)
        return {"state": cast("HeldState", state), "reason": labels.get("reason", "")[:64]}
    if name == _VERDICT:
        verdict = labels.get("verdict", "")
        if verdict not in get_args(ParityVerdict):
            raise ValueError(verdict)
        return {"verdict": cast("ParityVerdict", verdict)}
    if name == _VERIFIED:
        return {key: labels.get(key, "")[:256] for key in ("digest", "authority", "identity")}
    return {_FIELDS[name]: int(value) if name == _INPUTS else value}
