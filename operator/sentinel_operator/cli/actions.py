"""The commands about plans of change: plans, approve, reject, explain, policy test and bench."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sentinel_operator.cli.flags import Context, Kubeconfig, Namespace, end, where
from sentinel_operator.cli.outcome import Exit

Plan = Annotated[str, typer.Argument(metavar="PLAN", help="Name of the ActionPlan.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Shown with the plan from then on.")]


def add_actions(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(short_help="List plans of change.")(plans)
    app.command(short_help="Approve a plan that waits for it.")(approve)
    app.command(short_help="Reject a plan that has not begun.")(reject)
    app.command(short_help="Tell what a plan was judged by.")(explain)
    policies = typer.Typer(help="Try out policies.", no_args_is_help=True, rich_markup_mode=None)
    policies.command("test", short_help="Judge plans by policies, offline.")(policy_test)
    policies.command("bench", short_help="Measure what judging takes, offline.")(policy_bench)
    app.add_typer(policies, name="policy", short_help="Try out policies.")


def plans(
    namespace: Namespace = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="In every namespace.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """List plans of change: how far they are, who proposed and who approved them."""

    def work() -> Exit:
        from sentinel_operator.cli.get import get as run  # noqa: PLC0415

        return run("actionplans", where(kubeconfig, context, namespace), everywhere=everywhere, output="wide")

    end(work)


def approve(
    plan: Plan, reason: Reason = "", namespace: Namespace = None, kubeconfig: Kubeconfig = None, context: Context = None
) -> None:
    """Approve a plan that waits for it. Who that was is what the API server has authenticated."""
    _say("Approve", plan, reason, (namespace, kubeconfig, context))


def reject(
    plan: Plan, reason: Reason = "", namespace: Namespace = None, kubeconfig: Kubeconfig = None, context: Context = None
) -> None:
    """Reject a plan that has not begun: it never will."""
    _say("Reject", plan, reason, (namespace, kubeconfig, context))


def explain(plan: Plan, namespace: Namespace = None, kubeconfig: Kubeconfig = None, context: Context = None) -> None:
    """Tell what a plan was judged by: each policy and rule, its inputs and what it said, what changes, what was done.

    Exits with 1 where the plan has ended otherwise than well.
    """

    def work() -> Exit:
        from sentinel_operator.cli.explain import explain as run  # noqa: PLC0415

        return run(plan, where(kubeconfig, context, namespace))

    end(work)


def policy_test(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML or JSON.", show_default=False)],
) -> None:
    """Judge plans by policies without a cluster: the files hold ActionPolicies, ActionPlans, and their targets as far
    as they matter.

    A plan without a recorded requester is judged as if its spec.source had created it. Exits with 1 where a plan
    would be rejected.
    """

    def work() -> Exit:
        from sentinel_operator.cli.policytest import policy_test as run  # noqa: PLC0415

        return run(files)

    end(work)


def policy_bench(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML or JSON.", show_default=False)],
    save: Annotated[str | None, typer.Option(metavar="FILE", help="Keep the figures as a baseline.")] = None,
    baseline: Annotated[str | None, typer.Option(metavar="FILE", help="Compare with a baseline.")] = None,
    threshold: Annotated[float, typer.Option(metavar="TIMES", help="How much slower is borne.")] = 1.25,
    repeat: Annotated[int, typer.Option(min=1, max=100_000, help="How often each decision is judged.")] = 200,
) -> None:
    """Measure what judging plans by policies takes: a decision, each policy and each rule. The files are those of
    `policy test`.

    Figures are kept and compared in units of a calibration loop of the same run, so a baseline may be another
    machine's. Exits with 1 where a decision takes more than TIMES what it took, and with 2 for files that cannot be
    read.
    """

    def work() -> Exit:
        from sentinel_operator.cli.policybench import Asked  # noqa: PLC0415
        from sentinel_operator.cli.policybench import policy_bench as run  # noqa: PLC0415

        return run(Asked(files=files, save=save, baseline=baseline, threshold=threshold, repeat=repeat))

    end(work)


def _say(
    decision: Literal["Approve", "Reject"], plan: str, reason: str, flags: tuple[str | None, str | None, str | None]
) -> None:
    def work() -> Exit:
        from sentinel_operator.cli.explain import say as run  # noqa: PLC0415

        namespace, kubeconfig, context = flags
        return run(plan, where(kubeconfig, context, namespace), decision=decision, reason=reason)

    end(work)
