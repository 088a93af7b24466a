"""On the real API server, with the real engine: whoever dies or sleeps, wherever, and whatever is lost on the way, each
decision is done once, none is lost, none comes after its time, and whoever does not lead any more writes nothing.

A seed is a run. `--once-runs 1000` makes so many of them, `--once-seed 17` that one alone, and tells its story.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from functools import partial
from pathlib import Path

import pytest
import yaml

from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.engine import runtime
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.measure.fetch import anywhere
from sentinel_operator.engine.measure.measurer import Measurer
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.resources import CRDS, Resource
from sentinel_operator.engine.transport import Limits, Transport
from tests.support.eventually import eventually
from tests.support.once.place import Meter, spaces
from tests.support.once.run import Report, Run, Stage
from tests.support.once.story import Story
from tests.support.plansworld import OURS, ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
_A_TEST = 50
"""Runs that one test makes."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes portions of the seeds, each a test."""
    if "seeds" not in metafunc.fixturenames:
        return
    alone, first = metafunc.config.getoption("--once-seed"), metafunc.config.getoption("--once-first")
    last = first + metafunc.config.getoption("--once-runs")
    chosen = [alone] if alone is not None else [*range(first, last)]
    portions = [chosen[at : at + _A_TEST] for at in range(0, len(chosen), _A_TEST)]
    metafunc.parametrize("seeds", portions, ids=[f"{each[0]}-{each[-1]}" for each in portions])


@pytest.fixture
async def stage(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(runtime, "Measurer", partial(Measurer, allowed=anywhere))
    access = await Access.open(Source(kubeconfig))
    api = KubeApi(Transport(access, metrics=Metrics(), limits=Limits(concurrency=64)))
    for kind in OURS:
        await api.apply(CRDS, yaml.safe_load((ROOT / "crds" / f"sentinel.dev_{kind.plural}.yaml").read_text()))

    async def served() -> bool:
        found = await api.read_path(Resource.of_kind(ACTION_PLAN).base)
        return {kind.plural for kind in OURS} <= {each["name"] for each in found["resources"]}

    async def stored() -> bool:
        for kind in OURS:
            _ = await api.list(Resource.of_kind(kind))
        return True

    await eventually(served)
    await eventually(stored)
    await spaces(api)
    async with Meter.open() as meter:
        yield Stage(api, kubeconfig, meter)
    await access.close()


async def test_every_decision_is_done_once_whatever_goes_wrong(
    stage: Stage, seeds: list[int], request: pytest.FixtureRequest
) -> None:
    slots = asyncio.Semaphore(request.config.getoption("--once-at-once"))

    async def one(seed: int) -> Report:
        async with slots:
            report = await Run(stage, Story.of(seed)).play()
        if report.wrong or len(seeds) == 1:
            print(f"\n{report.text()}\n", flush=True)
        print(_line(report), flush=True)
        return report

    reports = await asyncio.gather(*map(one, seeds))
    print(_summary(reports), flush=True)
    wrong = [each.seed for each in reports if each.wrong]
    again = "; ".join(f"pytest {Path(__file__).name} --once-seed {each}" for each in wrong)
    assert not wrong, f"{len(wrong)} of {len(seeds)} runs went wrong: {again}"


def _line(report: Report) -> str:
    how = "wrong" if report.wrong else "right"
    happened = _counted(report.faults) or "nothing went wrong"
    return f"seed {report.seed}: {how}, {report.seconds:.1f} s; {_counted(report.ends)}; {happened}"


def _summary(reports: Iterable[Report]) -> str:
    reports = list(reports)
    faults: Counter[str] = sum((each.faults for each in reports), Counter())
    ends: Counter[str] = sum((each.ends for each in reports), Counter())
    slowest = max(reports, key=lambda each: each.seconds)
    mean = sum(each.seconds for each in reports) / len(reports)
    lines = (
        f"{len(reports)} runs, {mean:.1f} s each; seed {slowest.seed} took {slowest.seconds:.1f} s",
        f"plans: {_counted(ends)}",
        f"faults: {_counted(faults)}",
    )
    return "\n".join(lines)


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counter.items()))
