"""Analyses as stories: who measures what, tick by tick."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sentinel_operator.api.analysis import AnalysisSpec, AnalysisStatus, MetricStatus
from sentinel_operator.core.analysis.contrast import Contrast
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.analysis.progress import Due, advance, begin, due

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@dataclass
class Story:
    """One analysis, and the time that passes over it. The status is all that it remembers."""

    spec: AnalysisSpec
    now: datetime = START
    state: AnalysisStatus = field(init=False)

    def __post_init__(self) -> None:
        self.state = begin(self.spec, self.now)

    def due(self) -> Due:
        return due(self.spec, self.state, self.now)

    def names(self) -> list[str]:
        return [task.check.name for task in self.due().tasks]

    def after(self, seconds: float) -> Story:
        self.now += timedelta(seconds=seconds)
        return self

    def takes(self, **measurements: dict[str, Any]) -> Story:
        """Hands in measurements taken now; the status goes through JSON, as after a restart."""
        found = {name.replace("_", "-"): Measurement(at=self.now, **each) for name, each in measurements.items()}
        state = advance(self.spec, self.state, found, self.now)
        self.state = AnalysisStatus.model_validate_json(state.model_dump_json(by_alias=True))
        return self

    def metric(self, name: str) -> MetricStatus:
        return next(each for each in self.state.metrics or () if each.name == name)


def story(*metrics: dict[str, Any], **analysis: Any) -> Story:
    return Story(AnalysisSpec.model_validate({"metrics": list(metrics), **analysis}))


def errors(canary: int, of: int, stable: int = 2, stable_of: int = 1000) -> dict[str, Any]:
    return {
        "contrast": Contrast(
            {"good": float(of - canary), "bad": float(canary)},
            {"good": float(stable_of - stable), "bad": float(stable)},
        )
    }


def latencies(fast: float, slow: float, *, stable_fast: float = 890, stable_slow: float = 10) -> dict[str, Any]:
    """Gives requests of up to 10 ms and of up to 50 ms."""
    return {
        "contrast": Contrast(
            {"0.01": fast, "0.05": fast + slow, "+Inf": fast + slow},
            {"0.01": stable_fast, "0.05": stable_fast + stable_slow, "+Inf": stable_fast + stable_slow},
        )
    }
