"""Credentials stay fresh: what an exec plugin gives is asked for anew when it is refused."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml

from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.errors import Retry
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.transport import Limits, Transport
from tests.support.toyworld import World

pytestmark = pytest.mark.integration

ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")
PLUGIN = """#!/bin/sh
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'
printf '"status":{"token":"%s"}}' "$(cat "$0.token")"
"""


def plugin(directory: Path) -> Path:
    """Makes an exec plugin that gives whatever token lies beside it."""
    program = directory / "plugin"
    program.write_text(PLUGIN)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def kubeconfig(world: World, program: Path) -> Path:
    """Gives a kubeconfig that asks the plugin."""
    config = yaml.safe_load(world.kubeconfig.read_text())
    config["users"][0]["user"] = {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
    }
    written = program.with_suffix(".kubeconfig")
    written.write_text(json.dumps(config))
    return written


async def test_a_token_that_is_refused_is_asked_for_anew(world: World, tmp_path: Path) -> None:
    program = plugin(tmp_path)
    token = program.with_suffix(".token")
    token.write_text("expired")
    access = await Access.open(Source(kubeconfig(world, program)))
    api = KubeApi(Transport(access, metrics=Metrics(), limits=Limits()))
    try:
        ref = ObjectRef("v1", "ServiceAccount", world.namespace, "default")
        metadata = {"namespace": ref.namespace, "name": ref.name}
        await world.api.apply(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        good = await world.api.create_under(ACCOUNTS, ref, "token", request)
        token.write_text(good["status"]["token"])
        assert (await api.read_path("/apis"))["kind"] == "APIGroupList"
        token.write_text("expired")
        assert (await api.read_path("/apis"))["kind"] == "APIGroupList", "a good one is kept"
    finally:
        await access.close()


async def test_a_token_that_stays_refused_is_an_error_that_may_pass(world: World, tmp_path: Path) -> None:
    program = plugin(tmp_path)
    program.with_suffix(".token").write_text("expired")
    access = await Access.open(Source(kubeconfig(world, program)))
    try:
        with pytest.raises(Retry) as refused:
            await KubeApi(Transport(access, metrics=Metrics(), limits=Limits())).read_path("/apis")
        assert refused.value.code == 401
    finally:
        await access.close()
