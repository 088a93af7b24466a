"""A shard's pod as a process that counts what it judges, and kills itself where it is told to.

`JUDGED` names a file that takes the digest of each text that was judged; `KILL_AT_JUDGEMENT` and `KILL_AT_PUT` the
judgement or the write (`before-3`, `after-3`) at which the process is no more; at `ASK_AT_JUDGEMENT` it is asked to
end.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from sentinel_operator.api.scanning import ScanConfig
from sentinel_workloads.scan.__main__ import main
from sentinel_workloads.scan.opened import open_detector
from sentinel_workloads.scan.store.s3 import S3Store


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Counting:
    """The real detector, and what it was asked."""

    def __init__(self, config: ScanConfig) -> None:
        self._detector = open_detector(config)
        self.digest, self.describe = self._detector.digest, self._detector.describe
        self._log = Path(os.environ["JUDGED"]).open("a", buffering=1)  # noqa: SIM115
        self._left = int(os.environ.get("KILL_AT_JUDGEMENT", "0"))
        self._asked = int(os.environ.get("ASK_AT_JUDGEMENT", "0"))

    def judge(self, text: str) -> Any:
        self._left -= 1
        if not self._left:
            die()
        self._asked -= 1
        if not self._asked:
            os.kill(os.getpid(), signal.SIGTERM)
        self._log.write(hashlib.sha256(text.encode()).hexdigest() + "\n")
        return self._detector.judge(text)


def kill_at_put(when: str) -> None:
    moment, _, number = when.partition("-")
    left, put = int(number), S3Store.put

    async def killing(self: S3Store, key: str, *arguments: Any, **named: Any) -> bool:
        nonlocal left
        left -= 1
        if not left and moment == "before":
            die()
        done = await put(self, key, *arguments, **named)
        if not left:
            die()
        return done

    S3Store.put = killing  # type: ignore[method-assign]


if __name__ == "__main__":
    if when := os.environ.get("KILL_AT_PUT"):
        kill_at_put(when)
    sys.exit(main(opener=Counting))
