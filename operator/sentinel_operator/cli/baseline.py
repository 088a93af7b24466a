"""Figures of a run that were kept: in units of the calibration loop, so that another machine's can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import orjson
from pydantic import Field, ValidationError

from sentinel_operator.api.base import Model
from sentinel_operator.cli.bench import Figures, Measured
from sentinel_operator.cli.outcome import Exit, Failed
from sentinel_operator.core.admission.errors import explain

Units = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Quantiles(Model):
    """In units of the calibration loop."""

    p50: Units
    p99: Units


class Baseline(Model):
    """What is kept of a run."""

    version: Literal[1] = 1
    inputs: Annotated[str, Field(max_length=80)]
    """A digest of the policies and plans that were judged."""
    calibration: Units
    """Seconds of the calibration loop there."""
    decision: Quantiles
    rules: dict[str, Quantiles]
    """By policy, index and type."""


@dataclass(frozen=True, slots=True)
class Slower:
    """A figure that is above what the baseline allows."""

    what: str
    times: float


def baseline_of(found: Measured, *, inputs: str) -> Baseline:
    """Gives what is to be kept of a run."""
    unit = found.calibration
    return Baseline(
        inputs=inputs,
        calibration=unit,
        decision=_in_units(found.decision, unit),
        rules={
            f"{policy.name}[{rule.index}] {rule.type}": _in_units(rule.figures, unit)
            for policy in found.policies
            for rule in policy.rules
        },
    )


def compared(now: Baseline, before: Baseline, *, threshold: float) -> Iterator[Slower]:
    """Yields the figures of a decision that have grown by more than the threshold. Rules are part of a decision: which
    of them it is, `dearer` says."""
    for name in ("p50", "p99"):
        times = getattr(now.decision, name) / getattr(before.decision, name)
        if times > threshold:
            yield Slower(f"a decision, {name}", times)


def dearer(now: Baseline, before: Baseline, *, threshold: float) -> Iterator[Slower]:
    """Yields the rules of both that have grown by more than the threshold, the dearest first."""
    both = [(name, each.p50, before.rules[name].p50) for name, each in now.rules.items() if name in before.rules]
    for name, after, former in sorted(both, key=lambda each: each[2] - each[1]):
        if after / former > threshold:
            yield Slower(name, after / former)


def save(file: str, found: Baseline) -> None:
    """Writes a baseline; raises Failed where that cannot be."""
    written = orjson.dumps(found.model_dump(mode="json", by_alias=True), option=orjson.OPT_INDENT_2)
    try:
        Path(file).write_bytes(written + b"\n")
    except OSError as error:
        raise Failed(f"--save: {file}: {error.strerror}", Exit.USAGE) from error


def load(file: str) -> Baseline:
    """Reads a baseline; raises Failed with the file and the field."""
    try:
        given = orjson.loads(Path(file).read_bytes())
    except OSError as error:
        raise Failed(f"--baseline: {file}: {error.strerror}", Exit.USAGE) from error
    except orjson.JSONDecodeError as error:
        raise Failed(f"--baseline: {file}: is no JSON: {error}", Exit.USAGE) from error
    try:
        return Baseline.model_validate(given)
    except ValidationError as error:
        wrong = "; ".join(str(each).removeprefix("baseline.") for each in explain(error, root="baseline"))
        raise Failed(f"--baseline: {file}: {wrong}", Exit.USAGE) from error


def _in_units(figures: Figures, unit: float) -> Quantiles:
    return Quantiles(p50=figures.p50 / unit, p99=figures.p99 / unit)
