"""Runs the container's command as Kubernetes would, and collects everything it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentinel_operator.api.serving import ExitCode, FetchConfig, Retry
from tests.integration.fetch.zygote import Forked, Zygote

PATIENT = Retry(deadline_seconds=30, initial_seconds=0.02, max_seconds=0.2)
HASTY = Retry(deadline_seconds=1, initial_seconds=0.02, max_seconds=0.2)
COMMAND = (sys.executable, "-m", "sentinel_workloads.fetch")
# Without its capabilities root is held to the modes of its files like any user.
DROP_PRIVILEGES = (
    ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all") if os.getuid() == 0 else ()
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run ended."""

    code: int
    termination: dict[str, Any]
    stderr: str
    out: Path

    @property
    def reason(self) -> str:
        return str(self.termination.get("reason", ""))

    @property
    def message(self) -> str:
        return str(self.termination.get("message", ""))

    @property
    def field(self) -> str:
        return str(self.termination.get("field", ""))

    @property
    def verification(self) -> dict[str, Any]:
        return dict(self.termination["verification"])

    @property
    def verified(self) -> dict[str, Any]:
        return dict(json.loads((self.out / "verified.json").read_bytes()))

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stderr.splitlines()]

    def files(self) -> dict[str, bytes]:
        """What was handed over."""
        root = self.out / "artifact"
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def left(self) -> list[str]:
        """Every name that lies in the folder."""
        return sorted(str(path.relative_to(self.out)) for path in self.out.rglob("*")) if self.out.exists() else []

    def assert_ok(self) -> None:
        assert self.code == ExitCode.Ok, self.stderr
        assert self.verification == self.verified

    def assert_failed(self, code: ExitCode, *, field: str, says: str = "") -> None:
        assert (self.code, self.reason) == (code, code.name), self.stderr
        assert self.field == field, self.termination
        assert says in self.message
        assert self.left() == [], "a failed fetch leaves something behind"


Process = subprocess.Popen[bytes] | Forked


@dataclass(slots=True)
class Fetcher:
    """The command with folders of its own."""

    root: Path
    zygote: Zygote
    env: dict[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()
    """Starts an interpreter of its own in this way, where it matters how the process begins."""

    def __post_init__(self) -> None:
        for name in ("home", "tmp", "cwd", "config"):
            (self.root / name).mkdir()

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    async def run(self, config: FetchConfig | Mapping[str, Any] | str | None, **env: str) -> Outcome:
        """Runs it to its end."""
        async with self.started(config, **env) as process:
            return await self.outcome(process)

    @contextlib.asynccontextmanager
    async def started(self, config: FetchConfig | Mapping[str, Any] | str | None, **env: str) -> AsyncIterator[Process]:
        """Starts it, and kills it if it is still there at the end."""
        (self.root / "termination").write_text("")
        config_file = self.config / "fetch.json"
        if config is not None:
            config_file.write_text(_text(config))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "TERMINATION_LOG": str(self.root / "termination"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.env,
            **env,
        }
        process = self._start(["--config", str(config_file), "--out", str(self.out)], environment)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await asyncio.to_thread(process.wait)

    def _start(self, arguments: list[str], env: Mapping[str, str]) -> Process:
        cwd, stdout, stderr = self.root / "cwd", self.root / "stdout", self.root / "stderr"
        stderr.touch()
        if not self.command:
            return self.zygote.fork(arguments, env=env, cwd=cwd, stdout=stdout, stderr=stderr)
        with stdout.open("wb") as out, stderr.open("wb") as err:
            return subprocess.Popen([*self.command, *arguments], stdout=out, stderr=err, env=env, cwd=cwd)

    async def outcome(self, process: Process) -> Outcome:
        """What it left when it ended by itself or by a signal."""
        code = await asyncio.to_thread(process.wait)
        termination = (self.root / "termination").read_bytes()
        assert len(termination) <= 4096
        return Outcome(
            code=code,
            termination=json.loads(termination) if termination else {},
            stderr=(self.root / "stderr").read_text(),
            out=self.out,
        )


def _text(config: FetchConfig | Mapping[str, Any] | str) -> str:
    if isinstance(config, FetchConfig):
        return config.model_dump_json(by_alias=True)
    return config if isinstance(config, str) else json.dumps(config)


async def eventually(condition: Any, *, seconds: float = 30) -> None:
    """Waits until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Makes a folder with these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
