"""Runs the container's command in processes forked from one that has imported everything: a second of CPU saved each.

As a script it is that process. It reads requests as JSON lines from standard input, one after the other, and answers
each with two lines: the pid of the fork, and its exit code when it has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(slots=True)
class Forked:
    """One run, with as much of Popen as is needed."""

    pid: int
    _answers: IO[str]
    returncode: int | None = None

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int(self._answers.readline())
        return self.returncode


@dataclass(frozen=True, slots=True)
class Zygote:
    """The process that forks."""

    _process: subprocess.Popen[str]

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[Zygote]:
        process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield cls(process)
        finally:
            process.kill()
            process.wait(timeout=10)

    def fork(
        self, arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdout: Path, stderr: Path
    ) -> Forked:
        """Starts the command in a fork of its own environment."""
        assert self._process.stdin
        assert self._process.stdout
        request = {"arguments": arguments, "env": env, "cwd": str(cwd), "stdout": str(stdout), "stderr": str(stderr)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Forked(int(self._process.stdout.readline()), self._process.stdout)


def serve() -> None:
    """Answers requests until there are no more."""
    # What the command imports only when it is needed.
    from sentinel_workloads.fetch import __main__, https, s3  # noqa: F401
    from sentinel_workloads.fetch.signature import certificate, key, keyless  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            os._exit(_run(request, __main__.main))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _run(request: dict[str, object], main: object) -> int:
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[arg-type]
    os.chdir(str(request["cwd"]))
    for descriptor, path in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC if descriptor else os.O_RDONLY
        os.dup2(os.open(str(path), flags, 0o644), descriptor)
    code = int(main(request["arguments"]))  # type: ignore[operator]
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve()
