"""How the API server is reached and who we are there: in-cluster or by kubeconfig, exec plugins included."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from kubernetes_asyncio import client, config

if TYPE_CHECKING:
    import kopf

logger = logging.getLogger(__name__)

_LOAD_TIMEOUT = 60.0
_RELOAD_AT_MOST_EVERY = 10.0
_READ_BUFFER = 2**21


@dataclass(frozen=True, slots=True)
class Source:
    """Where the configuration comes from: a kubeconfig where one is named, else the pod's own service account, else
    (outside of a pod) the files that kubectl would take."""

    kubeconfig: Path | None = None
    context: str | None = None


class Access:
    """One HTTP session with the API server, whose credentials stay fresh.

    The library's configuration and TLS context are used, its request path is not: encoding and decoding with orjson
    straight on a session took 0.57 ms of CPU for a server-side apply of 1 KiB where `ApiClient.call_api` took 0.73 ms.
    """

    def __init__(self, source: Source, configuration: client.Configuration) -> None:
        self._source = source
        self._configuration = configuration
        self._api_client = client.ApiClient(configuration)
        # The library's own session reads ~/.netrc from the disk, in a thread, for every single request.
        self.session = aiohttp.ClientSession(
            connector=self._api_client.rest_client.pool_manager.connector,
            connector_owner=False,
            read_bufsize=_READ_BUFFER,
            headers={"User-Agent": "sentinel-operator"},
        )
        self.proxy: str | None = configuration.proxy or _proxy_from_environment(self.host)
        self._reloading = asyncio.Lock()
        self._reloaded_at = float("-inf")

    @classmethod
    async def open(cls, source: Source) -> Access:
        """Loads the configuration and opens the session; raises ConfigException where there is none."""
        configuration = client.Configuration()
        configuration.connection_pool_maxsize = 0  # bounded by KubeApi, apart from the watches
        await _load(source, configuration)
        return cls(source, configuration)

    @property
    def host(self) -> str:
        """Gives the URL of the API server, without a slash at its end."""
        return str(self._configuration.host).rstrip("/")

    @property
    def server_hostname(self) -> str | None:
        """Gives the name that the certificate is checked for, where it differs from the host's."""
        name: str | None = self._configuration.tls_server_name
        return name

    async def authorization(self) -> dict[str, str]:
        """Gives the headers that authenticate; a service account's token is read anew every minute."""
        setting = (await self._configuration.auth_settings()).get("BearerToken")
        return {setting["key"]: setting["value"]} if setting and setting["value"] else {}

    async def refresh(self) -> None:
        """Loads the credentials anew after a 401 (an exec plugin's token runs out); at most once in ten seconds."""
        async with self._reloading:
            if time.monotonic() - self._reloaded_at < _RELOAD_AT_MOST_EVERY:
                return
            self._reloaded_at = time.monotonic()
            logger.info("credentials were refused, loading them anew")
            await _load(self._source, self._configuration)

    async def for_kopf(self) -> kopf.ConnectionInfo:
        """Gives kopf the same identity; kopf asks again after a 401."""
        import kopf  # noqa: PLC0415 - kubectl sentinel does without it, and starts sooner

        await self.refresh()
        scheme, _, token = (await self.authorization()).get("authorization", "").partition(" ")
        configuration = self._configuration
        return kopf.ConnectionInfo(
            server=self.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            scheme=scheme or None,
            token=token or None,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            proxy_url=self.proxy,
        )

    async def close(self) -> None:
        """Closes every connection."""
        await self.session.close()
        await self._api_client.close()


def _proxy_from_environment(host: str) -> str | None:
    """Reads HTTPS_PROXY and NO_PROXY the way every HTTP client does."""
    parts = urlsplit(host)
    proxies = urllib.request.getproxies()
    if not parts.hostname or urllib.request.proxy_bypass(parts.hostname):
        return None
    return proxies.get(parts.scheme)


async def _load(source: Source, configuration: client.Configuration) -> None:
    async with asyncio.timeout(_LOAD_TIMEOUT):
        if source.kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            path = str(source.kubeconfig) if source.kubeconfig else None
            await config.load_kube_config(path, context=source.context, client_configuration=configuration)
