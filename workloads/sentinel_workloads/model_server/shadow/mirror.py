"""Asks the candidate's pods what the clients asked, after the clients have their answers, and never in their way."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import ssl
from collections import deque
from collections.abc import Iterable

from prometheus_client import Metric
from pydantic import ValidationError

from sentinel_operator.api.active import MIRRORED, Reading, Shadow
from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.api.mirrored import read
from sentinel_workloads.model_server.api.sample import Answered
from sentinel_workloads.model_server.oip.json_codec import HEADER_LENGTH
from sentinel_workloads.model_server.shadow.line import Line, LineError, Place
from sentinel_workloads.model_server.shadow.rewrite import as_json
from sentinel_workloads.model_server.shadow.tally import Tally

LOG = logging.getLogger(__name__)
LINES = 4
"""Connections, and so the most requests under way at once."""
QUEUE = 128
LINE_SECONDS = 30.0
"""A connection is not kept for longer: a Service spreads only new ones over its pods."""
REST_SECONDS = (0.1, 5.0)
"""Between attempts to connect, doubling."""
OK = 200


class Mirror:
    """A tap of the service. Bounded in what waits, what is under way, and how long; what is too much is dropped."""

    def __init__(self, config: ServingConfig, shadow: Shadow, *, tallies: dict[str, Tally]) -> None:
        self._config, self.shadow = config, shadow
        self._share = shadow.percent / 100
        tls = ssl.create_default_context(cafile=shadow.ca_file or None) if _secure(shadow) else None
        self._places = itertools.cycle([Place.of(url, tls=tls, name=shadow.server_name) for url in shadow.urls])
        self._queue: deque[Answered] = deque()
        self._waiting = asyncio.Event()
        self._random = random.Random()  # noqa: S311 - which requests are compared is no secret
        self.tallies = tallies
        """By the revision that answered the clients."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(LINES)]

    def answered(self, answered: Answered) -> None:
        """Takes its share of the requests, to be sent when the loop has nothing better to do."""
        if self._share < 1 and self._random.random() >= self._share:
            return
        if answered.revision.name == self.shadow.revision:
            return  # The candidate has become the active one.
        if len(self._queue) >= QUEUE:
            self._tally(answered).dropped += 1
            return
        self._queue.append(answered)
        self._waiting.set()

    def families(self) -> Iterable[Metric]:
        """Gives the metrics."""
        for tally in self.tallies.values():
            yield from tally.families()

    async def close(self) -> None:
        """Ends all that is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _tally(self, answered: Answered) -> Tally:
        revision = answered.revision.name
        found = self.tallies.get(revision)
        if found is None:
            found = Tally(model=self._config.name, revision=revision, candidate=self.shadow.revision)
            self.tallies[revision] = found
        return found

    async def _work(self) -> None:
        """Sends what waits, by a connection of its own, which it makes anew when it is old or lost."""
        loop = asyncio.get_running_loop()
        line: Line | None = None
        born, rest = 0.0, REST_SECONDS[0]
        try:
            while True:
                answered = await self._next()
                if line is not None and (not line.usable or loop.time() - born > LINE_SECONDS):
                    line.close()
                    line = None
                try:
                    async with asyncio.timeout(self.shadow.timeout_seconds):
                        if line is None:
                            line, born = await Line.open(next(self._places)), loop.time()
                        await self._send(line, answered)
                    rest = REST_SECONDS[0]
                except (LineError, TimeoutError) as error:
                    self._failed(answered, str(error) or "no answer in time")
                    if line is None or not line.usable:
                        line = None
                        await asyncio.sleep(self._random.uniform(0, rest))
                        rest = min(2 * rest, REST_SECONDS[1])
        finally:
            if line is not None:
                line.close()

    async def _next(self) -> Answered:
        while not self._queue:
            self._waiting.clear()
            await self._waiting.wait()
        return self._queue.popleft()

    async def _send(self, line: Line, answered: Answered) -> None:
        sample = as_json(answered.sample, answered.work, answered.revision)
        mark = f"{MIRRORED}: {answered.revision.name}\r\nContent-Type: application/json\r\n"
        headers = [mark.encode()]
        more = ((HEADER_LENGTH, sample.header_length), (b"content-encoding", sample.encoding), *answered.credentials)
        headers += [b"%b: %b\r\n" % (name, value) for name, value in more if value is not None]
        status, body = await line.ask(_unversioned(sample.path), b"".join(headers), sample.body)
        if status != OK:
            self._failed(answered, f"status {status}")
            return
        try:
            theirs = Reading.model_validate_json(body)
        except ValidationError:
            self._failed(answered, "the answer is no reading: is it a model server of this version?")
            return
        if theirs.revision != self.shadow.revision:
            self._failed(answered, f"revision {theirs.revision} answered, not {self.shadow.revision}")
            return
        self._tally(answered).compare(read(answered.work, answered.revision), answered.seconds, theirs)

    def _failed(self, answered: Answered, why: str) -> None:
        self._tally(answered).failed += 1
        LOG.warning("not compared", extra={"candidate": self.shadow.revision, "why": why})


def _secure(shadow: Shadow) -> bool:
    return any(url.startswith("https:") for url in shadow.urls)


def _unversioned(path: bytes) -> bytes:
    """The candidate has another version; the model is the same."""
    head, versions, rest = path.partition(b"/versions/")
    return head + b"/" + rest.partition(b"/")[2] if versions else path
