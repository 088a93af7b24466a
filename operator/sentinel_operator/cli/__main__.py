"""`kubectl sentinel`: the commands and their flags. What a command needs is imported when it runs: help is quick."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sentinel_operator.cli.outcome import Exit, Failed, Invalid

if TYPE_CHECKING:
    from sentinel_operator.cli.cluster import Where

app = typer.Typer(
    name="sentinel",
    help="Look at models: what serves, what it waits for, and what a declaration would become.",
    epilog="Exit codes: 0 ok, 1 not ready, not there or invalid, 2 usage, 3 the API server could not be asked.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Output(StrEnum):
    """How `get` writes."""

    table = "table"
    wide = "wide"
    json = "json"
    yaml = "yaml"
    name = "name"


Kubeconfig = Annotated[str | None, typer.Option("--kubeconfig", metavar="FILE", help="The kubeconfig to use.")]
Context = Annotated[str | None, typer.Option("--context", metavar="NAME", help="The context of the kubeconfig to use.")]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace; else that of the context.")
]
Object = Annotated[str, typer.Argument(metavar="KIND/NAME", help="Such as sm/fraud.", show_default=False)]


@app.command(short_help="List objects.")
def get(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND[/NAME]]", help="Such as sm, or sm/fraud; absent: every kind.", show_default=False
        ),
    ] = None,
    namespace: Namespace = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="In every namespace.")] = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", metavar="table|wide|json|yaml|name", help="How to write it.")
    ] = Output.table,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """List objects: whether they are ready and why, version, pods, revision, age."""

    def work() -> Exit:
        from sentinel_operator.cli.get import get as run  # noqa: PLC0415

        return run(kind, _where(kubeconfig, context, namespace), everywhere=everywhere, output=output.value)

    _end(work)


@app.command(short_help="Tell why an object is as it is.")
def describe(
    target: Object, namespace: Namespace = None, kubeconfig: Kubeconfig = None, context: Context = None
) -> None:
    """Tell why an object is as it is: is it serving, what does it wait for, what can be done.

    Exits with 1 while the object is not ready.
    """

    def work() -> Exit:
        from sentinel_operator.cli.describe import describe as run  # noqa: PLC0415

        return run(target, _where(kubeconfig, context, namespace))

    _end(work)


@app.command(short_help="Follow an object while it changes.")
def watch(
    target: Object,
    until: Annotated[
        str | None,
        typer.Option(metavar="GOAL", help="End with 0 at: ready, deleted, or CONDITION[=True|False|Unknown]."),
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Give up after, such as 90s or 5m.", show_default=False)
    ] = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Follow an object while it changes; a live view on a terminal, one line a change elsewhere.

    With --until it exits with 0 when the goal is reached, and with 1 at the timeout, when the object is deleted, or
    (for ready) when it is stalled and nothing will happen before somebody acts.
    """

    def work() -> Exit:
        from sentinel_operator.cli.watch import watch as run  # noqa: PLC0415

        return run(target, _where(kubeconfig, context, namespace), until=until, timeout=_seconds(timeout))

    _end(work)


@app.command(short_help="Show what a declaration would become, offline.")
def render(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="YAML or JSON.", show_default=False)],
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="A SentinelConfig to assume.", show_default=False)
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", metavar="NAME", help="For objects that name none.")
    ] = None,
) -> None:
    """Show what a declaration would become, without a cluster, after judging it as the cluster would.

    ConfigMaps and a SentinelConfig in the same file are taken into account. Exits with 1 and `spec.field: message`
    lines where something is wrong.
    """

    def work() -> Exit:
        from sentinel_operator.cli.offline import render as run  # noqa: PLC0415
        from sentinel_operator.cli.written import as_yaml  # noqa: PLC0415

        made, warnings = run(file, settings=config, namespace=namespace)
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        sys.stdout.write(as_yaml(*made))
        return Exit.OK

    _end(work)


@app.command(short_help="Print the digest of an artifact, offline.")
def digest(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file or a directory.", show_default=False)],
) -> None:
    """Print the digest of an artifact as `spec.model.digest` wants it."""

    def work() -> Exit:
        from sentinel_operator.cli.digest import digest_of  # noqa: PLC0415

        try:
            print(digest_of(path))
        except (ValueError, OSError) as error:
            raise Failed(f"{path}: {error}", Exit.NOT_READY) from error
        return Exit.OK

    _end(work)


def _where(kubeconfig: str | None, context: str | None, namespace: str | None) -> Where:
    from sentinel_operator.cli.cluster import Where  # noqa: PLC0415

    return Where(kubeconfig, context, namespace)


def _seconds(duration: str | None) -> float | None:
    from sentinel_operator.api.fields import seconds  # noqa: PLC0415

    try:
        return seconds(duration) if duration is not None else None
    except ValueError as error:
        raise Failed(f"--timeout {error}", Exit.USAGE) from error


def _end(work: Callable[[], Exit]) -> NoReturn:
    try:
        code = work()
    except Failed as failed:
        print(failed if isinstance(failed, Invalid) else f"error: {failed}", file=sys.stderr)
        code = failed.code
    raise typer.Exit(int(code))


def main() -> None:
    """Runs a command and exits with its code; text that the terminal cannot show never ends it."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app(prog_name="kubectl sentinel")


if __name__ == "__main__":
    main()
