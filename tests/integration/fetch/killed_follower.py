"""A script: follows a whole swap and return again and again, killed before its first write, its second, and so on.

After each death the folder must be one that a server can start from, and a follower that starts again must get to the
end. Each life is a fork, so that nothing is imported twice. Prints how many places there were to die in.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sentinel_operator.api.active import ActiveConfig, Instruction
from sentinel_operator.api.serving import Verification
from sentinel_workloads.fetch.artifact import digest_of
from sentinel_workloads.fetch.follow.follower import Follower
from sentinel_workloads.fetch.follow.home import Home
from tests.integration.fetch.revisions import a_revision, naming

CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod"})
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
LIFE_SECONDS = 30


def script(root: Path) -> list[ActiveConfig]:
    """One, then two beside it, then two, then back, then two alone; the third never comes."""
    one, two = a_revision(root, "one"), a_revision(root, "two")
    bad = a_revision(root, "bad", digest="sha256:" + "0" * 64)
    return [
        naming(one, serial=1),
        naming(one, two, bad, serial=2, candidate="two"),
        naming(two, one, serial=3),
        naming(one, two, serial=4),
        naming(two, serial=5),
    ]


async def live(out: Path, steps: list[ActiveConfig]) -> None:
    """Carries out each step to its end."""
    follower = Follower(Home(out))
    for wanted in steps:
        follower.want(wanted)
        async with asyncio.timeout(LIFE_SECONDS):
            while any(held.state == "Fetching" for held in follower.held.values()) or (
                follower.told is None or follower.told.serial != wanted.serial
            ):
                follower.changed.clear()
                await follower.changed.wait()
    await follower.close()


def die_at(number: int, out: Path) -> None:
    """Has this process killed before it changes anything below the folder for the n-th time."""
    left = [number]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        changes = event in CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING)
        if changes and str(arguments[0]).startswith(str(out)):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def forked(life: Callable[[], None]) -> int:
    """Gives how a life of its own ended: 0, or the signal, negative."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            life()
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def check(out: Path, *, where: str) -> None:
    """What a server that starts now would find: no instruction yet, or one whose active revision is whole."""
    if not (out / "active.json").exists():
        return
    told = Instruction.model_validate_json((out / "active.json").read_bytes())
    for each in told.revisions:
        folder = out / "revisions" / each.serving.revision
        if each.state == "Verified" or each.serving.revision == told.active:
            verified = Verification.model_validate_json((folder / "verified.json").read_bytes())
            assert digest_of(folder / "artifact") == verified.digest, where


def main(root: Path) -> None:
    steps = script(root)
    number = 0
    while True:
        number += 1
        out = root / "out"
        if out.exists():
            os.system(f"chmod -R u+w {out}")
            shutil.rmtree(out)

        def life(number: int = number, out: Path = out) -> None:
            die_at(number, out)
            asyncio.run(live(out, steps))

        code = forked(life)
        assert code in (0, -signal.SIGKILL), code
        check(out, where=f"killed before change {number}")
        assert forked(lambda out=out: asyncio.run(live(out, steps[-1:]))) == 0, f"after change {number}"
        check(out, where=f"again after change {number}")
        told = Instruction.model_validate_json((out / "active.json").read_bytes())
        assert told.active == "two"
        assert [folder.name for folder in (out / "revisions").iterdir()] == ["two"], number
        if code == 0:
            print(number - 1)
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
