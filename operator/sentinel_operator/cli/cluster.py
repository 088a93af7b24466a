"""The API server as the person's kubeconfig names it; every fault becomes a sentence with what to check."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes_asyncio.config.config_exception import ConfigException
from kubernetes_asyncio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, KubeConfigMerger

from sentinel_operator.api.base import API_VERSION
from sentinel_operator.cli.outcome import Exit, Failed
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.errors import ApiError, NotFound, Terminal
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.transport import Limits, Transport

_TIMEOUT = 15.0
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Where:
    """What the person said about the cluster: the flags that kubectl has too."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A client of one API server, and the namespace that is meant where none is named."""

    api: KubeApi
    host: str
    namespace: str


class _Uncounted:
    def requested(self, verb: str, kind: str, code: int) -> None:
        """A command ends before anybody could ask for its metrics."""


@asynccontextmanager
async def cluster(where: Where) -> AsyncIterator[Cluster]:
    """Gives the client; raises Failed for whatever it or the block could not do with the API server."""
    files = kubeconfig_of(where)
    namespace = where.namespace or namespace_of(files, where.context)
    try:
        access = await Access.open(Source(Path(files) if files else None, where.context))
    except (ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failed(f"the kubeconfig {files} cannot be used: {error}", Exit.UNREACHABLE) from error
    try:
        transport = Transport(access, metrics=_Uncounted(), limits=Limits(timeout=_TIMEOUT))
        yield Cluster(KubeApi(transport), access.host, namespace)
    except ApiError as error:
        raise explained(error, host=access.host) from error
    finally:
        await access.close()


def explained(error: ApiError, *, host: str) -> Failed:
    """Says what an API error means for a person, and what to check."""
    if error.code == 0:
        return Failed(
            f"cannot reach the API server at {host}: {error.message}\n"
            "Check that the cluster is up, and that --kubeconfig, --context or KUBECONFIG name the right one: "
            "kubectl config current-context; kubectl version",
            Exit.UNREACHABLE,
        )
    if error.code == 401:
        return Failed(f"{host} does not accept the credentials of this context; log in again", Exit.UNREACHABLE)
    if error.code == 403:
        hint = "The ClusterRoles view and sentinel-view allow it: kubectl auth can-i --list"
        return Failed(f"not allowed: {error.message}\n{hint}", Exit.UNREACHABLE)
    if isinstance(error, NotFound):
        hint = "Are its CRDs installed? kubectl api-resources --api-group=sentinel.dev"
        return Failed(f"{host} does not serve {API_VERSION}: {error.message}\n{hint}", Exit.UNREACHABLE)
    again = "" if isinstance(error, Terminal) else "; try again"
    return Failed(f"{host} answered {error.code}: {error.message}{again}", Exit.UNREACHABLE)


def kubeconfig_of(where: Where) -> str:
    """Gives the files that kubectl would take, or an empty string for the pod's own service account."""
    asked = where.kubeconfig or os.environ.get("KUBECONFIG")
    files = [os.path.expanduser(each) for each in (asked or KUBE_CONFIG_DEFAULT_LOCATION).split(os.pathsep) if each]  # noqa: PTH111 - Path has no such thing for lists
    if any(os.path.exists(each) for each in files):  # noqa: PTH110
        return os.pathsep.join(files)
    if where.kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        return ""
    raise Failed(
        f"there is no kubeconfig at {' or '.join(files)}; name one with --kubeconfig or KUBECONFIG", Exit.UNREACHABLE
    )


def namespace_of(files: str, context: str | None) -> str:
    """Gives the namespace of the context, or of the pod."""
    if not files:
        return _OWN_NAMESPACE.read_text().strip() if _OWN_NAMESPACE.exists() else "default"
    try:
        merged: dict[str, Any] = getattr(KubeConfigMerger(files).config, "value", {})
        chosen = context or merged.get("current-context")
        contexts = {each.value["name"]: each.value.get("context") or {} for each in merged.get("contexts") or ()}
    except (yaml.YAMLError, OSError, KeyError, TypeError, AttributeError) as error:
        raise Failed(f"{files} is no kubeconfig: {error}", Exit.UNREACHABLE) from error
    if chosen not in contexts:
        known = ", ".join(sorted(contexts)) or "none"
        what = f"no context {chosen!r}" if chosen else "no current context"
        raise Failed(f"{files} has {what}; it has: {known}", Exit.UNREACHABLE)
    return str(contexts[chosen].get("namespace") or "default")
