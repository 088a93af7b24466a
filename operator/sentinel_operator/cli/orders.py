"""The commands that give a word to a rollout: promote, abort, pause, resume, retry, rollback, undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from sentinel_operator.cli.flags import Context, Kubeconfig, Namespace, end, where
from sentinel_operator.cli.outcome import Exit

Halted = Annotated[
    str, typer.Argument(metavar="[KIND/]NAME", help="Such as fraud, or scanjob/tickets.", show_default=False)
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The model, such as fraud.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the patch, and write nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Even where Git owns the object or another verb is in force.")]
Full = Annotated[bool, typer.Option("--full", help="Skip all steps and analyses that are left.")]
Revision = Annotated[
    str | None,
    typer.Argument(metavar="[REVISION]", help="As in the history; absent: the one before.", show_default=False),
]


def add_orders(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(short_help="Let a rollout go on past its step.")(promote)
    for name, short in _PLAIN.items():
        app.command(name, short_help=short)(_plain(name, short))
    app.command(short_help="Go back to an earlier revision.")(rollback)
    app.command(short_help="Stop changing a model, or scanning.")(suspend)


def promote(
    name: Name,
    full: Full = False,
    dry_run: DryRun = False,
    force: Force = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Let a rollout go on past the step at which it is: a pause, an analysis or a gate."""
    _give("promote", name, (kubeconfig, context, namespace), full=full, dry_run=dry_run, force=force)


def rollback(
    name: Name,
    revision: Revision = None,
    dry_run: DryRun = False,
    force: Force = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Deliver an earlier revision in place of the one that the spec asks for, until the spec asks for another."""
    _give("rollback", name, (kubeconfig, context, namespace), revision=revision or "", dry_run=dry_run, force=force)


def suspend(
    name: Halted,
    dry_run: DryRun = False,
    force: Force = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Set spec.suspend: nothing of a model is changed, and a scan ends its pods and keeps what they have done."""
    _halt(name, (kubeconfig, context, namespace), suspend=True, dry_run=dry_run, force=force)


_PLAIN = {
    "abort": "Return all requests to stable; the revision is not delivered again without retry.",
    "pause": "Keep a rollout at the step at which it is.",
    "resume": "End a pause that was said with pause; of a scan, let it go on.",
    "retry": "Deliver a revision again that was rejected or aborted.",
    "undo": "Take back what was said last.",
}


def _plain(verb: str, said: str) -> Callable[..., None]:
    def command(
        name: Name,
        dry_run: DryRun = False,
        force: Force = False,
        namespace: Namespace = None,
        kubeconfig: Kubeconfig = None,
        context: Context = None,
    ) -> None:
        _give(verb, name, (kubeconfig, context, namespace), dry_run=dry_run, force=force)

    command.__doc__ = said
    return command


def _give(
    verb: str,
    name: str,
    place: tuple[str | None, str | None, str | None],
    *,
    full: bool = False,
    revision: str = "",
    dry_run: bool,
    force: bool,
) -> None:
    if verb == "resume" and _is_scan(name):
        _halt(name, place, suspend=False, dry_run=dry_run, force=force)

    def work() -> Exit:
        from sentinel_operator.cli.act import How, act  # noqa: PLC0415
        from sentinel_operator.cli.words import Order  # noqa: PLC0415

        order = Order(verb=verb, full=full, revision=revision)
        return act(name, where(*place), order=order, how=How(dry_run=dry_run, force=force))

    end(work)


def _is_scan(name: str) -> bool:
    from sentinel_operator.api.kinds import SCAN_JOB  # noqa: PLC0415
    from sentinel_operator.cli.kinds import kind_named  # noqa: PLC0415
    from sentinel_operator.cli.outcome import Failed  # noqa: PLC0415

    kind, slash, _ = name.partition("/")
    try:
        return bool(slash) and kind_named(kind) is SCAN_JOB
    except Failed:
        return False


def _halt(
    name: str, place: tuple[str | None, str | None, str | None], *, suspend: bool, dry_run: bool, force: bool
) -> NoReturn:
    def work() -> Exit:
        from sentinel_operator.cli.halt import halt  # noqa: PLC0415

        return halt(name, where(*place), suspend=suspend, dry_run=dry_run, force=force)

    end(work)
