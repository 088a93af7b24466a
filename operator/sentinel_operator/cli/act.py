"""`promote` and its companions: a person's word, written into spec.rollout where Git does not own it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentinel_operator.api.kinds import SENTRY_MODEL
from sentinel_operator.cli.cluster import Cluster, Where, cluster
from sentinel_operator.cli.delivery import Delivery
from sentinel_operator.cli.grid import clean
from sentinel_operator.cli.kinds import Target, target
from sentinel_operator.cli.origin import followed_by
from sentinel_operator.cli.outcome import Exit, Failed
from sentinel_operator.cli.verbs import word
from sentinel_operator.cli.words import Order, Refused, Word
from sentinel_operator.cli.written import as_yaml
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.errors import ApiError, Conflict
from sentinel_operator.engine.resources import Resource

MANAGER = "kubectl-sentinel"
_ATTEMPTS = 5
_PAUSE = 0.2
_MODELS = Resource.of_kind(SENTRY_MODEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """The flags that all verbs have."""

    dry_run: bool = False
    force: bool = False


def act(name: str, where: Where, *, order: Order, how: How) -> Exit:
    """Writes the verb and says what follows; where Git owns the object, prints what to commit in its place."""
    return asyncio.run(_act(model_named(name), where, order=order, how=how))


def model_named(text: str) -> Target:
    """Reads NAME, or KIND/NAME, of a model."""
    found = target(text)
    if found.kind is not SENTRY_MODEL:
        raise Failed(f"{text!r} is not the name of a {SENTRY_MODEL.kind}", Exit.USAGE)
    return found


async def _act(wanted: Target, where: Where, *, order: Order, how: How) -> Exit:
    async with cluster(where) as connected:
        found = await _given(connected, wanted, order=order, how=how)
    if how.dry_run and not found.nothing:
        sys.stdout.write(as_yaml(found.patch))
        print(f"{wanted.label}: nothing was written; it would mean: {clean(found.told)}", file=sys.stderr)
    else:
        print(f"{wanted.label}: {clean(found.told)}.")
    return Exit.OK


async def _given(connected: Cluster, wanted: Target, *, order: Order, how: How) -> Word:
    """Decides and writes. When the status has moved on meanwhile, what the verb names is read again."""
    attempt = 0
    while True:
        raw = await _read(connected, wanted)
        found = _decided(order, raw, how=how, label=wanted.label)
        if found.nothing or how.dry_run:
            return found
        try:
            await _write(connected, raw, found)
        except Conflict:
            attempt += 1
            if attempt == _ATTEMPTS:
                raise
            await asyncio.sleep(_PAUSE * 2**attempt)
        else:
            return found


async def _read(connected: Cluster, wanted: Target) -> Manifest:
    raw = await connected.api.find(_MODELS, connected.namespace, wanted.name)
    if raw is None:
        raise Failed(f"{wanted.label} is not there in namespace {connected.namespace}", Exit.NOT_READY)
    return raw


def _decided(order: Order, raw: Manifest, *, how: How, label: str) -> Word:
    if raw["metadata"].get("deletionTimestamp"):
        raise Refused(f"{label} is being deleted")
    found = word(order, Delivery(raw), force=how.force)
    git = followed_by(raw)
    if git and not how.force and not found.nothing:
        sys.stdout.write(to_commit(found))
        raise Refused(
            f"{label} is kept by {git} as Git has it: a change beside Git would be undone, or undo it later.\n"
            "Commit what is printed above (spec.rollout of the model); --force writes it all the same.",
            overridable=True,
        )
    return found


def to_commit(found: Word) -> str:
    """Writes what has to stand in Git, and says what has to go."""
    said: Mapping[str, Any] = {"spec": {"rollout": {found.field: found.value}}} if found.field else {}
    gone = "".join(f"# remove spec.rollout.{verb}\n" for verb in found.removes)
    return gone + (as_yaml(said) if said else "")


async def _write(connected: Cluster, raw: Manifest, found: Word) -> None:
    metadata = raw["metadata"]
    ref = ObjectRef(raw["apiVersion"], raw["kind"], metadata["namespace"], metadata["name"])
    body = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, **found.patch}
    try:
        await connected.api.patch(_MODELS, ref, body, field_manager=MANAGER)
    except ApiError as error:
        if error.code in (400, 422):
            raise Refused(f"the API server refuses it: {error.message}") from error
        if error.code == 403:
            hint = "The ClusterRole sentinel-edit allows it: kubectl auth can-i patch sentrymodels.sentinel.dev"
            raise Failed(f"not allowed: {error.message}\n{hint}", Exit.UNREACHABLE) from error
        raise
