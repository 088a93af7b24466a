"""`watch`: an object while it changes, until what one waits for; live on a terminal, elsewhere a line a change."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.live import Live

from sentinel_operator.cli.ages import span
from sentinel_operator.cli.cluster import Cluster, Where, cluster
from sentinel_operator.cli.follow import Seen, follow
from sentinel_operator.cli.goal import DELETED, Goal, goal
from sentinel_operator.cli.grid import console
from sentinel_operator.cli.kinds import Target, target
from sentinel_operator.cli.outcome import Exit, Failed
from sentinel_operator.cli.standing import standing
from sentinel_operator.cli.view import View

Show = Callable[[Seen], None]


def watch(text: str, where: Where, *, until: str | None, timeout: float | None) -> Exit:
    """Shows the object until the goal, the timeout, its end or Ctrl-C."""
    wanted, sought = target(text), goal(until) if until else None
    try:
        return asyncio.run(_watch(wanted, where, sought=sought, timeout=timeout))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED if sought else Exit.OK


async def _watch(wanted: Target, where: Where, *, sought: Goal | None, timeout: float | None) -> Exit:
    view = View(wanted.label, footer=_footer(sought, timeout))
    async with cluster(where) as connected:
        with _shown(view, console()) as show:
            try:
                async with asyncio.timeout(timeout):
                    return await _until(connected, wanted, sought=sought, show=show)
            except TimeoutError:
                return _ended(view, sought, timeout or 0.0)


async def _until(connected: Cluster, wanted: Target, *, sought: Goal | None, show: Show) -> Exit:
    there = False
    async with aclosing(follow(connected, wanted, rng=random.Random())) as seen_by_time:  # noqa: S311 - spreads retries
        async for seen in seen_by_time:
            show(seen)
            if seen.trouble:
                continue
            if seen.raw is None:
                if sought is not None and sought.type == DELETED:
                    return Exit.OK
                raise Failed(f"{wanted.label} {'was deleted' if there else 'is not there'}", Exit.NOT_READY)
            there = True
            if sought is not None and sought.reached(seen.raw):
                return Exit.OK
            if sought is not None and sought.hopeless(seen.raw):
                found = standing(seen.raw)
                raise Failed(f"{wanted.label} is stalled: {found.reason}: {found.message}", Exit.NOT_READY)
    raise AssertionError("following an object has no end of its own")


@contextmanager
def _shown(view: View, to: Console) -> Iterator[Show]:
    """Gives what shows a sighting: a view that redraws itself on a terminal, else one line for each change."""
    if not to.is_terminal:

        def write(seen: Seen) -> None:
            change = view.take(seen, datetime.now(UTC))
            if change is not None:
                print(view.plain(change), flush=True)

        yield write
        return

    def draw() -> Group:
        return Group(*view.lines(datetime.now(UTC)))

    with Live(console=to, get_renderable=draw, refresh_per_second=2) as live:

        def redraw(seen: Seen) -> None:
            view.take(seen, datetime.now(UTC))
            live.refresh()

        yield redraw
        view.footer = ""


def _footer(sought: Goal | None, timeout: float | None) -> str:
    what = f"until {sought.label}" if sought else "until you press Ctrl-C"
    return f"Watching {what}" + (f", for {span(timeout)} at most." if timeout else ".")


def _ended(view: View, sought: Goal | None, timeout: float) -> Exit:
    """Judges what the timeout found: without a goal, watching for so long is all that was asked for."""
    if view.seen is None:
        raise Failed(f"the API server gave no answer within {span(timeout)}", Exit.UNREACHABLE)
    if view.seen.trouble:
        raise Failed(f"the API server could not be asked: {view.seen.trouble}", Exit.UNREACHABLE)
    if sought is None:
        return Exit.OK
    found = standing(view.seen.raw) if view.seen.raw else None
    why = f": {found.reason}: {found.message}" if found else ""
    raise Failed(f"{view.label} is not {sought.label} after {span(timeout)}{why}", Exit.NOT_READY)
