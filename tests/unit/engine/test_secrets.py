"""Secrets for providers: which are read, where they are sent, and that nobody else is told."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sentinel_operator.api.analysis import Authorization, Header
from sentinel_operator.api.pod import SecretKeyRef
from sentinel_operator.engine.errors import ApiError, NotFound, Retry, Terminal
from sentinel_operator.engine.measure.fault import CannotMeasure, quoted
from sentinel_operator.engine.measure.secrets import ApiSecrets, Discreet, authorization, headers

HOST = "prometheus.monitoring:9090"
REF = SecretKeyRef(name="sentinel-analysis", key="token")
LABELS = {"sentinel.dev/analysis": "true"}


class Api:
    """One Secret behind an API that counts."""

    def __init__(
        self,
        *,
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        data: dict[str, bytes] | None = None,
    ) -> None:
        encoded = {key: base64.b64encode(value).decode() for key, value in (data or {"token": b"hunter2"}).items()}
        metadata = {"labels": LABELS if labels is None else labels, "annotations": annotations}
        self.secret: dict[str, Any] = {"metadata": metadata, "data": encoded}
        self.error: ApiError | None = None
        self.reads = 0

    async def get(self, resource: Any, namespace: str, name: str) -> dict[str, Any]:
        self.reads += 1
        assert (resource.plural, namespace, name) == ("secrets", "team", "sentinel-analysis")
        if self.error is not None:
            raise self.error
        return self.secret


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def read(api: Api, host: str = HOST) -> str:
    return await ApiSecrets(api, clock=Clock())("team", REF, host=host)


async def test_a_labelled_secret_is_read():
    assert await read(Api()) == "hunter2"


@pytest.mark.parametrize(
    ("api", "cause"),
    [
        (Api(labels={}), 'does not bear the label sentinel.dev/analysis: "true"'),
        (Api(labels={"sentinel.dev/analysis": "false"}), "does not bear the label"),
        (Api(data={"other": b"hunter2"}), "key token does not exist"),
        (Api(data={"token": b"\xff\xfe"}), "is no text"),
        (Api(annotations={"sentinel.dev/analysis-hosts": "other.example.org"}), f"does not name {HOST}"),
        (Api(annotations={"sentinel.dev/analysis-hosts": ""}), f"does not name {HOST}"),
    ],
    ids=["no label", "another label", "no key", "no text", "another host", "no host"],
)
async def test_what_is_not_sent_is_told_by_its_name_and_not_by_its_value(api: Api, cause: str):
    with pytest.raises(CannotMeasure) as refused:
        await read(api)
    assert "Secret team/sentinel-analysis" in str(refused.value)
    assert cause in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Terminal("secrets is forbidden: User x", code=403), "the operator may not read Secret team/sentinel-analysis"),
        (NotFound("secrets not found", code=404), "Secret team/sentinel-analysis does not exist"),
        (Retry("etcd is away", code=500), "Secret team/sentinel-analysis cannot be read: etcd is away"),
    ],
    ids=["forbidden", "missing", "a fault"],
)
async def test_one_that_cannot_be_read_says_why(error: ApiError, cause: str):
    api = Api()
    api.error = error
    with pytest.raises(CannotMeasure, match=cause):
        await read(api)


@pytest.mark.parametrize(
    "hosts", [HOST, "prometheus.monitoring", "a.example, PROMETHEUS.monitoring:9090", "a\n" + HOST]
)
async def test_hosts_are_names_with_or_without_a_port(hosts: str):
    assert await read(Api(annotations={"sentinel.dev/analysis-hosts": hosts})) == "hunter2"


async def test_the_host_is_looked_at_though_the_value_is_known():
    secrets = ApiSecrets(Api(annotations={"sentinel.dev/analysis-hosts": HOST}), clock=Clock())
    assert await secrets("team", REF, host=HOST) == "hunter2"
    with pytest.raises(CannotMeasure):
        await secrets("team", REF, host="evil.example.org")


async def test_what_was_read_is_believed_for_a_while_and_a_refusal_is_not():
    api, clock = Api(), Clock()
    secrets = ApiSecrets(api, clock=clock, lifetime=30)
    for _ in range(5):
        await secrets("team", REF, host=HOST)
    assert api.reads == 1
    api.secret["metadata"]["labels"] = {}
    clock.now = 31
    for _ in range(2):
        with pytest.raises(CannotMeasure):
            await secrets("team", REF, host=HOST)
    assert api.reads == 3


async def test_only_so_much_is_kept():
    class Many(Api):
        async def get(self, resource: Any, namespace: str, name: str) -> dict[str, Any]:
            self.reads += 1
            return self.secret

    api = Many()
    secrets = ApiSecrets(api, clock=Clock(), capacity=2)
    for name in ("a", "b", "c", "a"):
        await secrets("team", SecretKeyRef(name=name, key="token"), host=HOST)
    assert api.reads == 4


async def test_a_refusal_names_the_field_that_asked():
    api = Api(labels={})
    secrets = ApiSecrets(api, clock=Clock())
    with pytest.raises(CannotMeasure, match=r"^prometheus\.authorization\.secretRef: Secret team/"):
        await authorization(Authorization(secret_ref=REF), namespace="team", host=HOST, read=secrets)
    given = [Header(name="X-A", value="b"), Header(name="X-Key", secret_ref=REF)]
    with pytest.raises(CannotMeasure, match=r"^web\.headers\[1\]\.secretRef: Secret team/"):
        await headers(given, namespace="team", host=HOST, read=secrets)


@pytest.mark.parametrize("value", [b"", b" \n", "schlüssel".encode(), b"two\nlines"])
async def test_what_cannot_be_a_header_is_refused_without_a_word_of_it(value: bytes):
    secrets = ApiSecrets(Api(data={"token": value}), clock=Clock())
    with pytest.raises(CannotMeasure, match="must be printable ASCII") as refused:
        await headers([Header(name="X", secret_ref=REF)], namespace="team", host=HOST, read=secrets)
    assert value.decode().strip() == "" or value.decode() not in str(refused.value)


async def discreet(value: str) -> Discreet:
    read = Discreet(ApiSecrets(Api(data={"token": value.encode()}), clock=Clock()))
    await read("team", REF, host=HOST)
    return read


TOKEN = "eyJhbGciOiJIUzI1NiJ9." + "payload" * 30


@pytest.mark.parametrize(
    "text",
    [
        f"bad token {TOKEN}",
        quoted(f"bad token {TOKEN}", 40),
        f"bad token …{TOKEN[-8:]}",
        f"Basic {base64.b64encode(TOKEN.encode()).decode()}",
    ],
    ids=["whole", "cut off", "its end", "encoded"],
)
async def test_an_answer_that_repeats_a_secret_is_not_told(text: str):
    told = (await discreet(TOKEN)).without(text)
    assert told == "its answer is not told, for it repeats a Secret"


async def test_an_answer_that_does_not_is_told():
    read = await discreet(TOKEN)
    assert read.without("bad_data: parse error at char 5") == "bad_data: parse error at char 5"
    assert (await discreet("abc")).without("no abc here") != "no abc here"
