from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from tests.integration.cli.world import World
from tests.support.eventually import eventually
from tests.support.faultproxy import Fault, FaultProxy, Seen, watches

pytestmark = pytest.mark.integration


@pytest.fixture
async def proxy(world: World) -> AsyncIterator[FaultProxy]:
    async with FaultProxy.open(world.kubeconfig) as made:
        yield made


async def test_it_ends_when_the_model_is_ready_and_tells_each_change(world: World) -> None:
    await world.model("fraud", "unobserved")
    running = await world.start("watch", "sm/fraud", "--until", "ready", "--timeout", "60s")
    assert "Ready=Unknown NotObserved 0/2" in await running.line()
    await world.status("fraud", "storage-unreachable")
    assert "Ready=False StorageUnreachable 0/2 1.0.0" in await running.line()
    await world.status("fraud", "ready")
    done = await running.done()
    assert (done.code, done.err) == (0, "")
    assert "Ready=True Ready 2/2 1.0.0" in done.out


async def test_what_is_ready_already_ends_it_at_once(world: World) -> None:
    await world.model("fraud", "ready")
    done = await world.run("watch", "sm/fraud", "--until", "ready")
    assert done.code == 0
    assert len(done.out.splitlines()) == 1


async def test_a_stalled_model_will_not_become_ready_so_it_is_not_waited_for(world: World) -> None:
    await world.model("fraud", "failed-upgrade")
    done = await world.run("watch", "sm/fraud", "--until", "ready")
    assert done.code == 1
    assert done.err.startswith("error: sentrymodel/fraud is stalled: DigestMismatch: ")
    assert (await world.run("watch", "sm/fraud", "--until", "stalled")).code == 0


async def test_the_timeout_is_1_and_says_what_was_missing(world: World) -> None:
    await world.model("fraud", "storage-unreachable")
    done = await world.run("watch", "sm/fraud", "--until", "ready", "--timeout", "1s")
    assert done.code == 1
    assert done.err.startswith("error: sentrymodel/fraud is not Ready=True after 1s: StorageUnreachable: ")
    assert (await world.run("watch", "sm/fraud", "--timeout", "1s")).code == 0


@pytest.mark.parametrize(("until", "code"), [("deleted", 0), ("ready", 1)])
async def test_the_end_of_the_object_is_the_end_of_the_watch(world: World, until: str, code: int) -> None:
    await world.model("fraud", "storage-unreachable")
    running = await world.start("watch", "sm/fraud", "--until", until)
    await running.line()
    await world.remove("fraud")
    done = await running.done()
    assert done.code == code
    assert done.out.endswith("sentrymodel/fraud is not there\n")
    assert done.err == ("error: sentrymodel/fraud was deleted\n" if code else "")


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--until", "ready"), 130)])
async def test_ctrl_c_ends_it_without_a_traceback(world: World, words: tuple[str, ...], code: int) -> None:
    await world.model("fraud", "storage-unreachable")
    running = await world.start("watch", "sm/fraud", *words)
    await running.line()
    running.process.send_signal(signal.SIGINT)
    done = await running.done()
    assert (done.code, done.err) == (code, "")


async def test_a_dropped_watch_is_taken_up_again_and_no_change_is_lost(world: World, proxy: FaultProxy) -> None:
    await world.model("fraud", "unobserved")
    running = await world.start("watch", "sm/fraud", "--until", "ready", kubeconfig=proxy.kubeconfig())
    await running.line()
    await eventually(lambda: _watching(proxy))
    proxy.drop_watches()
    await world.status("fraud", "ready")
    done = await running.done()
    assert done.code == 0, done.err
    assert "Ready=True Ready" in done.out


@pytest.mark.parametrize("status", [410, 429, 500])
async def test_a_watch_that_is_refused_is_tried_again(world: World, proxy: FaultProxy, status: int) -> None:
    await world.model("fraud", "unobserved")
    proxy.inject(Fault(watches, times=2, status=status))
    running = await world.start("watch", "sm/fraud", "--until", "ready", kubeconfig=proxy.kubeconfig())
    await running.line()
    await world.status("fraud", "ready")
    done = await running.done()
    assert done.code == 0, done.err
    assert "Ready=True Ready" in done.out


async def test_an_api_server_that_stays_away_is_3_at_the_timeout(world: World, proxy: FaultProxy) -> None:
    await world.model("fraud", "unobserved")
    running = await world.start(
        *("watch", "sm/fraud", "--until", "ready", "--timeout", "8s"), kubeconfig=proxy.kubeconfig()
    )
    await running.line()
    await eventually(lambda: _watching(proxy))
    proxy.block(lambda _: True)
    done = await running.done()
    assert done.code == 3
    assert done.err.startswith("error: the API server could not be asked: ")
    assert "the API server cannot be asked: " in done.out


async def test_a_terminal_gets_a_live_view_in_colours(world: World) -> None:
    await world.model("fraud", "rolling")
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sentinel_operator.cli", "watch", "sm/fraud", "--until", "ready"),
        *("--kubeconfig", str(world.kubeconfig), "-n", world.namespace),
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", "LINES": "50", "NO_COLOR": ""},
    )
    os.close(theirs)
    seen = bytearray()
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, lambda: seen.extend(_read(loop, ours)))
    try:
        await eventually(lambda: _said(seen, "2 wanted"))
        await world.status("fraud", "ready")
        async with asyncio.timeout(60):
            assert await process.wait() == 0
        await eventually(lambda: _said(seen, "Waiting for nothing"))
    finally:
        loop.remove_reader(ours)
        os.close(ours)
    text = seen.decode(errors="replace")
    assert "\x1b[32mServing 1.0.0 with 2 of 2 pods. Waiting for nothing." in text
    assert "Changes" in text


async def _watching(proxy: FaultProxy) -> bool:
    return any(_model_watch(seen) for seen in proxy.log)


def _model_watch(seen: Seen) -> bool:
    return seen.watch and seen.path.endswith("/sentrymodels") and seen.status == 200


async def _said(seen: bytearray, text: str) -> bool:
    return text in seen.decode(errors="replace")


def _read(loop: asyncio.AbstractEventLoop, terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is closed
        loop.remove_reader(terminal)
        return b""
