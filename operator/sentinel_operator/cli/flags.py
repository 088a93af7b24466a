"""What commands have in common: the flags of the cluster, and how they end. Imports nothing heavy: help is quick."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sentinel_operator.cli.outcome import Exit, Failed, Invalid

if TYPE_CHECKING:
    from sentinel_operator.cli.cluster import Where

Kubeconfig = Annotated[str | None, typer.Option("--kubeconfig", metavar="FILE", help="The kubeconfig to use.")]
Context = Annotated[str | None, typer.Option("--context", metavar="NAME", help="The context of the kubeconfig to use.")]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace; else that of the context.")
]


def where(kubeconfig: str | None, context: str | None, namespace: str | None) -> Where:
    """Gives what the person said about the cluster."""
    from sentinel_operator.cli.cluster import Where  # noqa: PLC0415

    return Where(kubeconfig, context, namespace)


def span(duration: str | None, *, flag: str) -> float | None:
    """Reads a duration in seconds."""
    from sentinel_operator.api.fields import seconds  # noqa: PLC0415

    try:
        return seconds(duration) if duration is not None else None
    except ValueError as error:
        raise Failed(f"{flag} {error}", Exit.USAGE) from error


def end(work: Callable[[], Exit]) -> NoReturn:
    """Runs the work of a command and ends it with its code, or with a sentence and the code of what failed."""
    try:
        code = work()
    except Failed as failed:
        print(failed if isinstance(failed, Invalid) else f"error: {failed}", file=sys.stderr)
        code = failed.code
    raise typer.Exit(int(code))
