"""`suspend`, and `resume` of what has no rollout: spec.suspend, written where Git does not own the object."""

from __future__ import annotations

import asyncio
import sys

from sentinel_operator.api.kinds import SCAN_JOB, SENTRY_MODEL
from sentinel_operator.cli.cluster import Cluster, Where, cluster
from sentinel_operator.cli.kinds import Target, target
from sentinel_operator.cli.origin import followed_by
from sentinel_operator.cli.outcome import Exit, Failed
from sentinel_operator.cli.words import Refused
from sentinel_operator.cli.written import as_yaml
from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.resources import Resource

MANAGER = "kubectl-sentinel"
_SUSPENDABLE = (SENTRY_MODEL, SCAN_JOB)
_TOLD = {True: "nothing is changed, and no scan goes on, until it is resumed", False: "it goes on"}


def halt(name: str, where: Where, *, suspend: bool, dry_run: bool, force: bool) -> Exit:
    """Writes spec.suspend; where Git owns the object, prints what to commit in its place."""
    wanted = target(name)
    if wanted.kind not in _SUSPENDABLE:
        raise Failed(f"a {wanted.kind.kind} cannot be suspended", Exit.USAGE)
    return asyncio.run(_halt(wanted, where, suspend=suspend, dry_run=dry_run, force=force))


async def _halt(wanted: Target, where: Where, *, suspend: bool, dry_run: bool, force: bool) -> Exit:
    said = {"spec": {"suspend": suspend}}
    async with cluster(where) as connected:
        raw = await connected.api.find(Resource.of_kind(wanted.kind), connected.namespace, wanted.name)
        if raw is None:
            raise Failed(f"{wanted.label} is not there in namespace {connected.namespace}", Exit.NOT_READY)
        if bool((raw.get("spec") or {}).get("suspend")) == suspend:
            print(f"{wanted.label}: spec.suspend says so already.")
            return Exit.OK
        git = followed_by(raw)
        if git and not force:
            sys.stdout.write(as_yaml(said))
            raise Refused(
                f"{wanted.label} is kept by {git} as Git has it: a change beside Git would be undone, or undo it "
                "later.\nCommit what is printed above; --force writes it all the same.",
                overridable=True,
            )
        if dry_run:
            sys.stdout.write(as_yaml(said))
            return Exit.OK
        await _write(connected, wanted, raw["metadata"]["resourceVersion"], said)
    print(f"{wanted.label}: {_TOLD[suspend]}.")
    return Exit.OK


async def _write(connected: Cluster, wanted: Target, version: str, said: dict[str, dict[str, bool]]) -> None:
    ref = ObjectRef(wanted.kind.api_version, wanted.kind.kind, connected.namespace, wanted.name)
    body = {"metadata": {"resourceVersion": version}, **said}
    try:
        await connected.api.patch(Resource.of_kind(wanted.kind), ref, body, field_manager=MANAGER)
    except ApiError as error:
        if error.code in (400, 422):
            raise Refused(f"the API server refuses it: {error.message}") from error
        if error.code == 403:
            hint = f"The ClusterRole sentinel-edit allows it: kubectl auth can-i patch {wanted.kind.plural}"
            raise Failed(f"not allowed: {error.message}\n{hint}", Exit.UNREACHABLE) from error
        raise
