"""`plan`: what a change of a declaration will do, offline or beside what a cluster has."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import ValidationError

from sentinel_operator.api.kinds import SENTINEL_CONFIG, SENTRY_MODEL
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.sentrymodel import SentryModelSpec, SentryModelStatus
from sentinel_operator.cli.change import Declaration
from sentinel_operator.cli.cluster import Cluster, Where, cluster
from sentinel_operator.cli.delivery import Delivery
from sentinel_operator.cli.foresight import outlook_lines
from sentinel_operator.cli.grid import console, show
from sentinel_operator.cli.kinds import Target
from sentinel_operator.cli.offline import Declared, declared_in, judged, missing
from sentinel_operator.cli.outcome import Exit, Failed
from sentinel_operator.cli.outlook import Outlook, outlook
from sentinel_operator.cli.standing import status_of
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.rollout.intent import Rest
from sentinel_operator.core.sentrymodel.references import config_maps
from sentinel_operator.engine.errors import ApiError
from sentinel_operator.engine.resources import Resource

LIVE = "live"
_CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the person said."""

    file: str
    against: str | None
    settings: str | None
    pod_start: float


def plan(asked: Asked, where: Where) -> Exit:
    """Prints what each model of the file will do; NOT_READY if one of them would not be delivered without a person."""
    live = asked.against == LIVE
    found = asyncio.run(_live(asked, where)) if live else _offline(asked, namespace=where.namespace)
    to = console()
    for index, each in enumerate(found):
        if index:
            to.print()
        show(outlook_lines(each, compared=asked.against is not None, pod_start=asked.pod_start), to)
    stuck = any(isinstance(each.intent, Rest) and each.intent.stalled for each in found)
    return Exit.NOT_READY if stuck else Exit.OK


def _offline(asked: Asked, *, namespace: str | None) -> list[Outlook]:
    new = _judged(asked.file, asked.settings, namespace=namespace)
    old = _judged(asked.against, asked.settings, namespace=namespace, warned=False) if asked.against else None
    before = {_key(raw): raw for raw in old.models} if old is not None else {}
    found = []
    for raw in new.models:
        former = before.get(_key(raw))
        found.append(
            outlook(
                _declaration(raw, new),
                _declaration(former, old) if former is not None and old is not None else None,
                status=_told(former),
                known=_known(former),
                compared=old is not None,
                now=datetime.now(UTC).timestamp(),
                pod_start=asked.pod_start,
            )
        )
    return found


async def _live(asked: Asked, where: Where) -> list[Outlook]:
    async with cluster(where) as connected:
        new = _judged(asked.file, asked.settings, namespace=connected.namespace, whole=False)
        if new.config is None:
            new = replace(new, config=await _settings(connected))
        return [await _beside(connected, raw, new, asked) for raw in new.models]


async def _beside(connected: Cluster, raw: Manifest, new: Declared, asked: Asked) -> Outlook:
    metadata = raw["metadata"]
    former = await connected.api.find(Resource.of_kind(SENTRY_MODEL), metadata["namespace"], metadata["name"])
    specs = [_understood(each) for each in (raw, former) if each is not None]
    names = sorted({mention.name for spec in specs for mention in config_maps(spec)})
    there = await _config_maps(connected, metadata["namespace"], names)
    given = {each["metadata"]["name"] for each in new.config_maps}
    both = (*new.config_maps, *(each for each in there if each["metadata"]["name"] not in given))
    old = replace(_declaration(former, new), config_maps=there) if former is not None else None
    return outlook(
        replace(_declaration(raw, new), config_maps=both),
        old,
        status=_told(former),
        known=_known(former),
        now=datetime.now(UTC).timestamp(),
        pod_start=asked.pod_start,
    )


async def _settings(connected: Cluster) -> Manifest | None:
    """Reads the settings of the cluster; where they may not be read, the defaults are assumed, and that is said."""
    try:
        return await connected.api.find(Resource.of_kind(SENTINEL_CONFIG), "", "default")
    except ApiError as error:
        if error.code != 403:
            raise
        _warn(f"the SentinelConfig cannot be read, so the defaults are assumed: {error.message}")
        return None


async def _config_maps(connected: Cluster, namespace: str, names: Sequence[str]) -> list[Manifest]:
    found = []
    for name in names:
        try:
            one = await connected.api.find(_CONFIG_MAPS, namespace, name)
        except ApiError as error:
            if error.code != 403:
                raise
            _warn(f"ConfigMap {namespace}/{name} cannot be read, so it is taken to be as it was: {error.message}")
        else:
            found += [one] if one is not None else []
    return found


def _judged(
    file: str, settings: str | None, *, namespace: str | None, whole: bool = True, warned: bool = True
) -> Declared:
    """`whole`: what the file refers to and lacks will not come from a cluster."""
    found, warnings = judged(declared_in(file, settings=settings, namespace=namespace), file=file)
    absent = missing(found) if whole else ()
    for warning in (*warnings, *absent) if warned else ():
        _warn(warning)
    return found


def _understood(raw: Manifest) -> SentryModelSpec:
    try:
        return SentryModelSpec.model_validate(raw["spec"])
    except ValidationError as error:
        name = f"{raw['metadata']['namespace']}/{raw['metadata']['name']}"
        raise Failed(
            f"{name} as the cluster has it is not understood by this release: {error}", Exit.NOT_READY
        ) from error


def _declaration(raw: Manifest, among: Declared) -> Declaration:
    config = SentinelConfigSpec.model_validate((among.config or {}).get("spec") or {})
    return Declaration(raw=raw, config=config, config_maps=among.config_maps)


def _told(raw: Manifest | None) -> SentryModelStatus | None:
    return status_of(raw) if raw is not None and (raw.get("status") or {}).get("rollout") else None


def _known(raw: Manifest | None) -> str:
    """Gives the operator's own name of what the former spec asks for, where its status is of that spec."""
    delivery = Delivery(raw) if raw is not None else None
    return delivery.target if delivery is not None and delivery.current else ""


def _key(raw: Manifest) -> Target:
    return Target(SENTRY_MODEL, f"{raw['metadata']['namespace']}/{raw['metadata']['name']}")


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
