"""What becomes of an event by what the sink answers, and what is said of it."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from sentinel_operator.api.cloudevents import CloudEvents
from sentinel_operator.api.pod import SecretKeyRef
from sentinel_operator.engine.cloudevents.sink import EventSink, Sent, no_metadata_service
from sentinel_operator.engine.measure.fault import CannotMeasure
from sentinel_operator.engine.measure.secrets import no_secrets
from tests.support.eventsink import event_sink, free_port

EVENT = {
    "specversion": "1.0",
    "id": "uid-1",
    "source": "/sentinel-operator",
    "type": "dev.sentinel.actionplan.pending",
    "subject": "shop/plan",
    "data": {"state": "Pending"},
}
REF = SecretKeyRef(name="sink", key="token")
VALUE = "s3cr3t-0f-the-sink"


class Secrets:
    def __init__(self, value: str) -> None:
        self.value = value

    async def __call__(self, namespace: str, ref: SecretKeyRef, /, *, host: str) -> str:
        assert (namespace, ref.name, host.partition(":")[0]) == ("ours", "sink", "127.0.0.1")
        return self.value


async def sent(answer: int = 202, *, read: Any = no_secrets, url: str = "", **spec: Any) -> tuple[Sent, set[str]]:
    async with event_sink() as server:
        server.answer = lambda _: answer
        client = EventSink(read, namespace=lambda: "ours")
        try:
            return await client.send(CloudEvents(endpoint=url or server.url, **spec), EVENT), server.tokens
        finally:
            await client.close()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((each, "Delivered") for each in (200, 201, 202, 204)),
        *((each, "Refused") for each in (400, 405, 409, 410, 413, 415, 422)),
        *((each, "Failed") for each in (301, 307, 401, 403, 404, 407, 408, 425, 429, 500, 503, 504)),
    ],
)
async def test_an_answer_decides(status: int, outcome: str) -> None:
    told, _ = await sent(status)
    assert told.outcome == outcome
    assert str(status) in told.message


async def test_where_nobody_listens_it_is_to_be_sent_again() -> None:
    told, _ = await sent(url=f"http://127.0.0.1:{free_port()}/")
    assert (told.outcome, "no connection" in told.message) == ("Failed", True)


async def test_the_token_is_sent_and_an_answer_that_repeats_it_is_not_told() -> None:
    told, tokens = await sent(400, read=Secrets(f"{VALUE}\n"), token_secret_ref=REF)
    assert tokens == {f"Bearer {VALUE}"}
    assert (told.outcome, VALUE in told.message) == ("Refused", False)


@pytest.mark.parametrize("value", ["", "  ", "tökén", "two\nlines"])
async def test_what_is_no_header_is_named_by_its_field_and_not_sent(value: str) -> None:
    told, tokens = await sent(read=Secrets(value), token_secret_ref=REF)
    assert (told.outcome, tokens) == ("Failed", set())
    assert told.message.startswith("spec.cloudEvents.tokenSecretRef: ")


@pytest.mark.parametrize(
    ("spec", "read", "field"),
    [
        ({"ca_bundle": "-----BEGIN CERTIFICATE-----\nnone\n"}, no_secrets, "caBundle: holds no certificate"),
        ({"ca_secret_ref": REF}, Secrets("none"), "caSecretRef: holds no certificate"),
        ({"ca_secret_ref": REF}, no_secrets, "caSecretRef: the operator may not read Secret ours/sink"),
        ({"token_secret_ref": REF}, no_secrets, "tokenSecretRef: the operator may not read Secret ours/sink"),
    ],
)
async def test_what_keeps_it_from_being_sent_is_named_by_its_field(spec: Any, read: Any, field: str) -> None:
    told, tokens = await sent(read=read, **spec)
    assert (told.outcome, tokens) == ("Failed", set())
    assert told.message.startswith(f"spec.cloudEvents.{field}")


async def test_a_secret_that_cannot_be_read_now_is_a_failure_and_no_refusal() -> None:
    async def fails(namespace: str, ref: SecretKeyRef, /, *, host: str) -> str:
        raise CannotMeasure("no answer")

    told, _ = await sent(read=fails, token_secret_ref=REF)
    assert told.outcome == "Failed"


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        *((each, True) for each in ("10.0.0.1", "127.0.0.1", "::1", "2001:db8::1")),
        *((each, False) for each in ("169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "fe80::1", "224.0.0.1")),
    ],
)
def test_a_clouds_metadata_service_is_no_sink(address: str, allowed: bool) -> None:
    assert no_metadata_service(ipaddress.ip_address(address)) == allowed
