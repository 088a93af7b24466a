from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from sentinel_operator.cli.__main__ import app
from tests.support.builders import a_model


def _config(*, server: str = "http://127.0.0.1:1", context: str = "here", cluster: str = "c") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": "me"}}],
    }


@pytest.fixture
def unreachable(tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig whose server's port is bound, so that nobody else gets it, and does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        path = tmp_path / "config"
        path.write_text(yaml.safe_dump(_config(server=f"http://127.0.0.1:{taken.getsockname()[1]}")))
        yield path


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


def test_help_names_every_command_and_the_exit_codes() -> None:
    text = run("--help").stdout
    reads = ("get", "describe", "watch", "plan", "render", "digest", "plans", "explain", "policy")
    verbs = ("promote", "pause", "resume", "abort", "retry", "rollback", "undo", "approve", "reject")
    for word in (*reads, *verbs, "Exit codes: 0 ok"):
        assert word in text
    assert run("-h").exit_code == 0


def test_help_loads_nothing_that_only_a_command_needs() -> None:
    heavy = {"pydantic", "kopf", "aiohttp", "kubernetes_asyncio", "rich", "yaml", "orjson"}
    program = (
        "import sys\n"
        "sys.argv = ['kubectl-sentinel', '--help']\n"
        "from sentinel_operator.cli.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"sys.exit(', '.join({heavy!r} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        ("get", "pods"),
        ("get", "sm/a/b"),
        ("get", "-o", "toml"),
        ("describe",),
        ("describe", "sm"),
        ("watch", "sm/fraud", "--until", "maybe=so"),
        ("watch", "sm/fraud", "--timeout", "soon"),
        ("promote",),
        ("promote", "sm/a/b"),
        ("abort", "scfg/default"),
        ("retry", "fraud", "--full"),
        ("plan", "no-such-file.yaml"),
        ("plan", "-", "--pod-start", "soon"),
        ("render", "no-such-file.yaml"),
        ("frobnicate",),
        (),
    ],
    ids=" ".join,
)
def test_usage_is_2(words: tuple[str, ...], unreachable: Path) -> None:
    cluster = (
        ("--kubeconfig", str(unreachable))
        if words and words[0] in {"get", "describe", "watch", "promote", "abort"}
        else ()
    )
    assert run(*words, *cluster).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [("get",), ("describe", "sm/fraud"), ("watch", "sm/fraud", "--until", "ready"), ("promote", "fraud")],
    ids=" ".join,
)
def test_an_api_server_that_cannot_be_reached_is_3_and_says_what_to_check(
    words: tuple[str, ...], unreachable: Path
) -> None:
    done = run(*words, "--kubeconfig", str(unreachable))
    assert done.exit_code == 3
    assert done.stderr.startswith("error: cannot reach the API server at http://127.0.0.1:")
    assert "--context" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


KUBECONFIGS = {
    "no YAML": ("a: [", "is no kubeconfig"),
    "nothing": ("", "is no kubeconfig"),
    "a list": ("- 1", "is no kubeconfig"),
    "no context": ("contexts: []", "has no current context"),
    "another context": (yaml.safe_dump(_config(context="other")), "has no context 'here'; it has: other"),
    "no cluster": (yaml.safe_dump(_config(cluster="gone")), "cannot be used"),
    "no file": (None, "there is no kubeconfig at"),
}


@pytest.mark.parametrize("case", KUBECONFIGS)
def test_what_the_kubeconfig_lacks_is_said(tmp_path: Path, case: str) -> None:
    text, said = KUBECONFIGS[case]
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    done = run("get", "sm", "--kubeconfig", str(path))
    assert done.exit_code == 3
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_render_writes_objects_to_stdout_and_warnings_to_stderr() -> None:
    done = run("render", "-", stdin=yaml.safe_dump(a_model().raw))
    assert done.exit_code == 0
    made = list(yaml.safe_load_all(done.stdout))
    assert "Deployment" in {each["kind"] for each in made}
    assert done.stderr.startswith("warning: spec.model.verify is not set")
    assert "&id" not in done.stdout  # aliases: valid YAML, and nobody reads it


def test_render_says_what_is_wrong_one_line_each_and_nothing_else() -> None:
    done = run("render", "-", stdin=yaml.safe_dump(a_model().with_spec(replicas=-1, digset="x").raw))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "spec.digset: unknown field",
        "spec.replicas: should be greater than or equal to 0",
    ]


def test_digest_prints_what_the_spec_wants(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"weights")
    done = run("digest", str(tmp_path))
    assert done.exit_code == 0
    assert yaml.safe_load(done.stdout) == done.stdout.strip()
    assert done.stdout.startswith("sha256:")


@pytest.mark.parametrize("what", ["missing", "link"])
def test_digest_of_what_has_none_is_1(tmp_path: Path, what: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to("nowhere")
    done = run("digest", str(tmp_path / ("missing" if what == "missing" else "folder")))
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
