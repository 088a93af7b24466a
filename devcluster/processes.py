"""Processes that outlive the command that started them, and are ended by it or a later one: those, and no others.

A record holds the process id and its start time, since ids are reused. The process writes it itself, before it becomes
the program, and holds the lock of whoever started it until then: that one may be killed at any moment, and whoever
has the lock next knows of every process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.locks import held

_TAIL = 2000
_KILLED = 10.0
_RECORD_AND_BECOME = """
record=$1; shift
stat=$(cat /proc/$$/stat)
started=$(set -f; set -- ${stat##*) }; shift 19; echo "$1")  # the 22nd field, see proc(5)
printf '{"pid": %s, "started": %s}' $$ "$started" > "$record.new" && mv "$record.new" "$record" && exec "$@" 9>&-
"""
_LOCK = 9


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of one cluster, by role."""

    records: Path
    logs: Path
    lock: Path | None = None

    def start(self, role: str, command: Sequence[str | Path]) -> None:
        """Starts a process in a session of its own, its output in the role's log."""
        self.records.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        record = self._record(role)
        record.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        lock = held().get(self.lock) if self.lock else None
        pid = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", _RECORD_AND_BECOME, "sh", str(record), *(str(word) for word in command)],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log(role)), flags, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                *([] if lock is None else [(os.POSIX_SPAWN_DUP2, lock, _LOCK)]),
            ],
            setsid=True,
        )
        while not record.exists() and _started_at(pid):
            time.sleep(0.002)

    def alive(self, role: str) -> bool:
        """Tells whether the very process that was started for the role still runs."""
        return self._pid(role) is not None

    def require(self, role: str) -> None:
        """Raises DevclusterError with the end of its log when the role's process has ended."""
        if not self.alive(role):
            text = self.log(role).read_text(errors="replace") if self.log(role).exists() else ""
            raise DevclusterError(f"{role} ended; the end of {self.log(role)}:\n{text[-_TAIL:]}")

    def log(self, role: str) -> Path:
        """Gives the role's log file."""
        return self.logs / f"{role}.log"

    def roles(self) -> list[str]:
        """Gives every role that was started."""
        return sorted(path.stem for path in self.records.glob("*.json"))

    def stop(self, *roles: str, grace: float = 5.0) -> None:
        """Ends the roles' processes: SIGTERM, after the grace SIGKILL. Roles that do not run are no error."""
        for role in roles:
            self.signal(role, signal.SIGTERM)
        self._await_end(roles, within=grace)
        for role in roles:
            self.signal(role, signal.SIGKILL)
        lasting = self._await_end(roles, within=_KILLED)
        if lasting:
            raise DevclusterError(f"{', '.join(lasting)} cannot be killed; the kernel holds on to them")
        for role in roles:
            self._record(role).unlink(missing_ok=True)

    def signal(self, role: str, number: signal.Signals) -> None:
        """Sends a signal to the role's process if it runs."""
        pid = self._pid(role)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def pid(self, role: str) -> int:
        """Gives the process id of a running role; raises DevclusterError."""
        self.require(role)
        return self._pid(role) or 0

    def _await_end(self, roles: Sequence[str], *, within: float) -> list[str]:
        """Gives the roles that still run when the time is over."""
        deadline = time.monotonic() + within
        while True:
            lasting = [role for role in roles if self.alive(role)]
            if not lasting or time.monotonic() > deadline:
                return lasting
            time.sleep(0.02)

    def _record(self, role: str) -> Path:
        return self.records / f"{role}.json"

    def _pid(self, role: str) -> int | None:
        try:
            record = json.loads(self._record(role).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        process = Process(int(record["pid"]), int(record["started"]))
        return process.pid if process.alive() else None


@dataclass(frozen=True, slots=True)
class Process:
    """One process, not another that got its id later."""

    pid: int
    started: int

    @classmethod
    def this(cls) -> Process:
        """Gives the running process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Process:
        """Gives the process that has the id now."""
        return cls(pid, _started_at(pid))

    def alive(self) -> bool:
        """Tells whether it still runs."""
        return self.started != 0 and _started_at(self.pid) == self.started


def _started_at(pid: int) -> int:
    """Gives the start time in clock ticks since boot, 0 for a process that is gone or a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # reaps it if it is our own dead child
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def run(command: Sequence[str | Path], *, timeout: float = 60.0, text: str | None = None, check: bool = True) -> str:
    """Runs a command to its end and gives what it printed; raises DevclusterError with its words when it fails."""
    words = [str(word) for word in command]
    try:
        # It may outlive whoever runs it, and what it does must not come between the next holder's steps.
        locks = tuple(held().values())
        done = subprocess.run(
            words, input=text, capture_output=True, text=True, timeout=timeout, check=False, pass_fds=locks
        )
    except FileNotFoundError as error:
        raise DevclusterError(f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise DevclusterError(f"{' '.join(words[:4])} took longer than {timeout:.0f} s") from error
    if check and done.returncode:
        raise DevclusterError(
            f"{' '.join(words[:6])} ended with {done.returncode}: {(done.stderr or done.stdout)[-_TAIL:]}"
        )
    return done.stdout


def run_long(
    command: Sequence[str | Path],
    *,
    what: str,
    say: Callable[[str], None],
    cwd: Path | None = None,
    timeout: float = 3600.0,
) -> None:
    """Runs a long command, saying every ten seconds that it goes on; its output is shown when it fails."""
    words = [str(word) for word in command]
    started = time.monotonic()
    with subprocess.Popen(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = ""
        while True:
            try:
                output, _ = process.communicate(timeout=10)
                said += output or ""
                break
            except subprocess.TimeoutExpired:
                taken = time.monotonic() - started
                if taken > timeout:
                    process.kill()
                    raise DevclusterError(f"{what} took longer than {timeout:.0f} s") from None
                say(f"{what}: {taken:.0f} s")
    if process.returncode:
        raise DevclusterError(f"{what} failed ({' '.join(words[:6])}):\n{said[-2 * _TAIL :]}")
