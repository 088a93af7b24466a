"""No background task ends unnoticed."""

from __future__ import annotations

import asyncio

from sentinel_operator.engine.supervisor import Supervisor, why


async def forever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise RuntimeError("broken")


async def end() -> None:
    return


async def test_a_task_that_fails_is_told_with_its_name_and_reason() -> None:
    supervisor = Supervisor()
    supervisor.keep("steady", forever())
    supervisor.keep("shaky", fail())
    async with asyncio.timeout(1):
        ended = await supervisor.first_end()
    assert why(ended) == "shaky failed: RuntimeError('broken')"
    await supervisor.cancel()


async def test_a_task_that_may_end_is_only_told_when_it_fails() -> None:
    supervisor = Supervisor()
    await supervisor.start("priming", end(), may_end=True)
    await asyncio.sleep(0)
    assert supervisor.healthy
    await asyncio.wait([supervisor.start("priming again", fail(), may_end=True)])
    await asyncio.sleep(0)
    assert not supervisor.healthy


async def test_cancelling_waits_for_the_end_and_complains_of_what_does_not() -> None:
    supervisor = Supervisor()
    task = supervisor.start("steady", forever())
    await asyncio.sleep(0)
    await supervisor.cancel()
    assert task.cancelled()
