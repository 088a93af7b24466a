"""A file behind HTTPS: redirected only to HTTPS, resumed only while its validator stays the same."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
from yarl import URL

from sentinel_operator.api.serving import ExitCode, FetchConfig
from sentinel_workloads.fetch.source import (
    CHUNK_BYTES,
    Remote,
    Stream,
    single_name,
)
from sentinel_workloads.objectstore.failures import ChangedError, Failure, TransientError
from sentinel_workloads.objectstore.trust import trust_of
from sentinel_workloads.objectstore.waits import Waits

FIELD = "spec.model.source.https.url"
CA_FIELD = "spec.model.source.https.caBundle"
MAX_REDIRECTS = 5
BUSY = {408, 425, 429, 500, 502, 503, 504}


class HttpsSource:
    """One file at an address."""

    is_directory = False
    uri_field = FIELD

    def __init__(self, session: aiohttp.ClientSession, url: URL, *, answer_seconds: float) -> None:
        self._session, self._url, self._answer_seconds = session, url, answer_seconds

    async def listing(self) -> tuple[Remote, ...]:
        """The one file, under the last part of the address; of its size nothing is known yet."""
        return (Remote(path=single_name(str(self._url), field=FIELD), locator=str(self._url)),)

    def signature(self) -> Remote:
        """The address with `.sig` behind its path."""
        url = self._url.with_path(f"{self._url.raw_path}.sig", encoded=True).with_query(self._url.query)
        return Remote(path=posixpath.basename(url.path), locator=str(url))

    @asynccontextmanager
    async def open(self, remote: Remote, *, offset: int, version: str) -> AsyncIterator[Stream]:
        """Streams the file; If-Range makes a server send the whole when it is another version."""
        headers = {"Range": f"bytes={offset}-", "If-Range": version} if offset else {}
        url = URL(remote.locator)
        with _faults(url):
            async with asyncio.timeout(self._answer_seconds):
                answer = await self._get(url, headers)
            async with answer:
                found = _validator(answer)
                if version and found != version:
                    raise ChangedError(f"{remote.path} changed while it was read")
                start, size = _extent(answer)
                if start not in {0, offset}:
                    raise ChangedError(f"{remote.path}: the server answered bytes from {start}, not {offset}")
                yield Stream(start, size, found, answer.content.iter_chunked(CHUNK_BYTES))

    async def _get(self, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._session.get(url, headers=headers, allow_redirects=False)
            if answer.status not in {301, 302, 303, 307, 308} or "Location" not in answer.headers:
                _check(answer, url)
                return answer
            answer.release()
            target = url.join(URL(answer.headers["Location"]))
            if target.scheme != "https":
                message = f"{shown(url)} redirects to {target.scheme}://{target.host}, which is not HTTPS"
                raise Failure(ExitCode.InvalidConfig, FIELD, message)
            url = target
        raise Failure(ExitCode.InvalidConfig, FIELD, f"{shown(self._url)} redirects more than {MAX_REDIRECTS} times")


@asynccontextmanager
async def https_source(config: FetchConfig) -> AsyncIterator[HttpsSource]:
    """A source with a session of its own."""
    try:
        url = URL(config.uri)
    except ValueError as error:
        raise Failure(ExitCode.InvalidConfig, FIELD, f"not an address: {type(error).__name__}") from error
    if not url.host or url.path.endswith("/"):
        raise Failure(ExitCode.InvalidConfig, FIELD, f"{shown(url)} must name a host and a file")
    waits = Waits.within(config.retry)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust_of(config.object_store.ca_file, field=CA_FIELD)),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=waits.connect, sock_read=waits.read),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=True,
    )
    async with session:
        yield HttpsSource(session, url, answer_seconds=waits.answer)


def shown(url: URL) -> str:
    """The address without what may be secret in it: user, password and query."""
    return str(url.with_user(None).with_query(None).with_fragment(None)) if url.host else "the address"


def _check(answer: aiohttp.ClientResponse, url: URL) -> None:
    status = answer.status
    if status in {200, 206}:
        return
    answer.release()
    said = f"{shown(url)} answered {status}"
    if status in BUSY:
        raise TransientError(said, field=FIELD)
    if status in {412, 416}:
        raise ChangedError(f"{shown(url)} is no longer what was read before")
    code = {401: ExitCode.AccessDenied, 403: ExitCode.AccessDenied, 407: ExitCode.AccessDenied}.get(status)
    code = code or {404: ExitCode.NotFound, 410: ExitCode.NotFound}.get(status, ExitCode.InvalidConfig)
    raise Failure(code, FIELD, said)


def _validator(answer: aiohttp.ClientResponse) -> str:
    """What If-Range accepts: a strong ETag, else the time of the last change."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _extent(answer: aiohttp.ClientResponse) -> tuple[int, int | None]:
    """First byte of the answer and size of the whole file."""
    if answer.status == 206:
        whole = answer.headers.get("Content-Range", "").removeprefix("bytes ")
        start, _, rest = whole.partition("-")
        size = rest.partition("/")[2]
        return int(start) if start.isdigit() else -1, int(size) if size.isdigit() else None
    return 0, answer.content_length


@contextmanager
def _faults(url: URL) -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        message = f"{shown(url)}: the server's certificate is not trusted: {error.certificate_error}"
        raise Failure(ExitCode.StorageUnreachable, CA_FIELD, message) from error
    except (aiohttp.InvalidURL, ValueError) as error:
        raise Failure(ExitCode.InvalidConfig, FIELD, f"{shown(url)}: {type(error).__name__}") from error
    except TimeoutError as error:
        raise TransientError(f"{shown(url)}: timed out", field=FIELD) from error
    except (aiohttp.ClientError, OSError) as error:
        raise TransientError(f"{shown(url)}: {type(error).__name__}", field=FIELD) from error
