"""`kubectl sentinel`: the commands and their flags. What a command needs is imported when it runs: help is quick."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sentinel_operator.cli.actions import add_actions
from sentinel_operator.cli.flags import Context, Kubeconfig, Namespace, end, span, where
from sentinel_operator.cli.orders import add_orders
from sentinel_operator.cli.outcome import Exit, Failed

app = typer.Typer(
    name="sentinel",
    help="Look at models and their rollouts, say how a rollout goes on, and see what a declaration would become.",
    epilog="Exit codes: 0 ok, 1 the answer is no (not ready, not there, invalid, refused), 2 usage, "
    "3 the API server could not be asked.",
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


Object = Annotated[str, typer.Argument(metavar="[KIND/]NAME", help="Such as fraud, or sm/fraud.", show_default=False)]


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

        return run(kind, where(kubeconfig, context, namespace), everywhere=everywhere, output=output.value)

    end(work)


@app.command(short_help="Tell why an object is as it is.")
def describe(
    target: Object, namespace: Namespace = None, kubeconfig: Kubeconfig = None, context: Context = None
) -> None:
    """Tell why an object is as it is: is it serving, what does it wait for, what can be done.

    Exits with 1 while the object is not ready.
    """

    def work() -> Exit:
        from sentinel_operator.cli.describe import describe as run  # noqa: PLC0415

        return run(target, where(kubeconfig, context, namespace))

    end(work)


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

        return run(target, where(kubeconfig, context, namespace), until=until, timeout=span(timeout, flag="--timeout"))

    end(work)


@app.command(short_help="Show the GPUs: how busy, how well, who is on them.")
def gpus(
    node: Annotated[str | None, typer.Option("--node", metavar="NAME", help="Of this node alone.")] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show the GPUs of the cluster as the agents of their nodes see them."""

    def work() -> Exit:
        from sentinel_operator.cli.gpus import gpus as run  # noqa: PLC0415

        return run(where(kubeconfig, context, None), node=node or "")

    end(work)


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

    end(work)


@app.command(short_help="Show what a change will do, offline or beside a cluster.")
def plan(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="YAML or JSON.", show_default=False)],
    against: Annotated[
        str | None,
        typer.Option(metavar="live|FILE", help="What it changes: the cluster's, or a file's.", show_default=False),
    ] = None,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="A SentinelConfig to assume.", show_default=False)
    ] = None,
    pod_start: Annotated[str, typer.Option(metavar="DURATION", help="How long a pod takes until it is ready.")] = "30s",
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show what a change will do: another revision or not and why, strategy, steps, peak of pods and GPUs, duration.

    Needs a cluster for --against live only. Exits with 1 where something is wrong, and where the change would not be
    delivered before somebody acts.
    """

    def work() -> Exit:
        from sentinel_operator.cli.plan import Asked  # noqa: PLC0415
        from sentinel_operator.cli.plan import plan as run  # noqa: PLC0415

        start = span(pod_start, flag="--pod-start") or 0.0
        asked = Asked(file=file, against=against, settings=config, pod_start=start)
        return run(asked, where(kubeconfig, context, namespace))

    end(work)


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

    end(work)


add_orders(app)
add_actions(app)


def main() -> None:
    """Runs a command and exits with its code; text that the terminal cannot show never ends it."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app(prog_name="kubectl sentinel")


if __name__ == "__main__":
    main()
