"""Threads whose work may hang: each tells what it is doing, and is given up and replaced when that takes too long."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

logger = logging.getLogger(__name__)

_LEAST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
_MOST_GIVEN_UP = 4
"""Threads that hang cannot be ended: beyond this many no further one is risked."""


class Beat:
    """What a thread is doing, and whether it is still wanted. Written by that thread, read by others."""

    __slots__ = ("_doing", "_stop")

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._doing: tuple[str, str, float] | None = None
        self._stop = stop or threading.Event()

    @contextlib.contextmanager
    def doing(self, what: str, about: str = "") -> Iterator[None]:
        """Announces a call that may hang, and the thing that it is about."""
        self._doing = (what, about, time.monotonic())
        try:
            yield
        finally:
            self._doing = None

    @property
    def wanted(self) -> bool:
        """Tells whether to go on; a thread that was given up must not publish anything any more."""
        return not self._stop.is_set()

    def pause(self, seconds: float) -> bool:
        """Waits, and tells whether to go on."""
        return not self._stop.wait(max(0.0, seconds))

    def dismiss(self) -> None:
        """Ends the wish for it."""
        self._stop.set()

    def stuck(self, after: float) -> tuple[str, str] | None:
        """Gives the call that has been going on for too long, and what it is about."""
        doing = self._doing
        return doing[:2] if doing and time.monotonic() - doing[2] > after else None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a worker is: `hanging` names the call that does not come back."""

    alive: bool
    hanging: str
    restarts: int
    given_up: int


class Worker:
    """One thread that goes on for ever: started anew where it ends, given up where it hangs."""

    def __init__(
        self,
        name: str,
        work: Callable[[Beat], None],
        *,
        hang_after: float,
        hung: Callable[[str, str], None] | None = None,
    ) -> None:
        self.name, self._work, self._hang_after, self._hung = name, work, hang_after, hung
        self._beat = Beat()
        self._thread: threading.Thread | None = None
        self._lost: list[threading.Thread] = []
        self._hanging = ""
        self._failures = self._restarts = 0
        self._not_before = 0.0
        self._begun = 0.0

    def start(self) -> None:
        """Begins to work."""
        self._begun = time.monotonic()
        self._beat = Beat()
        self._thread = threading.Thread(target=self._run, args=[self._beat], name=self.name, daemon=True)
        self._thread.start()

    def check(self) -> Standing:
        """Looks after the thread; to be called every second or so."""
        self._lost = [thread for thread in self._lost if thread.is_alive()]
        if not self._lost:
            self._hanging = ""
        if self._thread is not None:
            self._look_after(self._thread)
        room = len(self._lost) < _MOST_GIVEN_UP
        if self._thread is None and room and time.monotonic() >= self._not_before:
            self._restarts += 1
            self.start()
        return self.standing

    @property
    def standing(self) -> Standing:
        """Gives how it is."""
        alive = self._thread is not None and self._thread.is_alive()
        return Standing(alive, self._hanging, self._restarts, len(self._lost))

    def dismiss(self) -> None:
        """Asks it to end."""
        self._beat.dismiss()

    def join(self, seconds: float) -> bool:
        """Waits for its end; a thread that hangs is left behind, for it ends with the process."""
        if self._thread is not None:
            self._thread.join(seconds)
            return not self._thread.is_alive()
        return True

    def _look_after(self, thread: threading.Thread) -> None:
        stuck = self._beat.stuck(self._hang_after)
        if stuck is not None:
            what, about = stuck
            told = f"{what} {about}".rstrip()
            logger.error("%s: %s has not come back for %g s; its thread is given up", self.name, told, self._hang_after)
            self._beat.dismiss()
            self._lost.append(thread)
            self._hanging, self._thread = what, None
            if self._hung is not None:
                self._hung(what, about)
            self._wait()
        elif not thread.is_alive() and self._beat.wanted:
            self._thread = None
            self._wait()
        elif self._failures and time.monotonic() - self._begun > _LONGEST_PAUSE:
            self._failures = 0

    def _wait(self) -> None:
        pause = min(_LONGEST_PAUSE, _LEAST_PAUSE * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        self._not_before = time.monotonic() + pause

    def _run(self, beat: Beat) -> None:
        try:
            self._work(beat)
        except Exception:
            if beat.wanted:
                logger.exception("%s failed and is started anew", self.name)
