"""Processes that outlive the command that started them, and are ended by it or a later one: those, and no others.

A record holds the process id and its start time, since ids are reused.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError

_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of one cluster, by role."""

    records: Path
    logs: Path

    def start(self, role: str, command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None) -> None:
        """Starts a process in a session of its own, its output in the role's log."""
        self.records.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        with self.log(role).open("ab") as log:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        record = {"pid": process.pid, "started": _started_at(process.pid)}
        (self.records / f"{role}.json").write_text(json.dumps(record))

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
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and any(self.alive(role) for role in roles):
            time.sleep(0.05)
        for role in roles:
            self.signal(role, signal.SIGKILL)
        while any(self.alive(role) for role in roles):
            time.sleep(0.02)
        for role in roles:
            (self.records / f"{role}.json").unlink(missing_ok=True)

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

    def _pid(self, role: str) -> int | None:
        try:
            record = json.loads((self.records / f"{role}.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        pid = int(record["pid"])
        return pid if record["started"] and _started_at(pid) == record["started"] else None


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
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=timeout, check=False)
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
