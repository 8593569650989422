"""The queue of requests: what is sent arrives as it was, and what is no request is refused."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.queue import QueueClient
from hypothesis import given
from hypothesis import strategies as st

from halo_adsync.customer_values import IDENTIFIER
from halo_adsync.errors import ConfigurationError, StateUnavailable
from halo_adsync.model import CustomerId, RunId
from halo_adsync.state.queue import ENCODING, MODES, AzureRequests, Request, parse_request
from tests.contract.storage import MIXED, guid, run_id

REQUEST = Request(CustomerId("contoso"), run_id(1), "reconcile", MIXED, "Zoë", dry_run=True, person=guid(1))


@contextmanager
def queue(connection_string: str, **options: Any) -> Iterator[QueueClient]:
    """Open a queue that nobody has used yet."""
    with QueueClient.from_connection_string(
        connection_string, f"q{uuid4().hex}", message_encode_policy=ENCODING, **options
    ) as client:
        yield client


def waiting(client: QueueClient) -> list[str]:
    """Return the messages that a worker would see now, as they stand in the queue."""
    return [str(message.content) for message in client.receive_messages(max_messages=32)]


@pytest.mark.azurite
def test_a_request_arrives_as_it_was_sent(storage_emulator: str) -> None:
    """The queue is made by the first message; each is base64 of JSON, as the Functions host expects."""
    with queue(storage_emulator) as client:
        requests = AzureRequests(client)
        requests.send(REQUEST)
        requests.send(replace(REQUEST, dry_run=False))
        texts = [base64.b64decode(text).decode() for text in waiting(client)]
    assert [parse_request(text) for text in texts] == [REQUEST, replace(REQUEST, dry_run=False)]


@pytest.mark.azurite
def test_a_delayed_request_is_hidden_until_its_time(storage_emulator: str) -> None:
    """A run that waits for its budget comes back later; a time that is over is now."""
    with queue(storage_emulator) as client:
        requests = AzureRequests(client)
        requests.send(REQUEST, 3600)
        assert waiting(client) == []
        requests.send(REQUEST, -5)
        assert len(waiting(client)) == 1
        assert client.get_queue_properties().approximate_message_count == 2


@pytest.mark.azurite
def test_a_queue_that_refuses_is_a_sentence(storage_emulator: str) -> None:
    """A message that is too long for the service is told apart from one that cannot be reached."""
    with queue(storage_emulator) as client, pytest.raises(StateUnavailable, match="HTTP 4") as raised:
        AzureRequests(client).send(replace(REQUEST, reason="x" * 70_000))
    assert "Storage Queue Data Contributor" in str(raised.value)


def test_an_unreachable_queue_is_a_sentence_without_its_key() -> None:
    """It says what to check."""
    key = base64.b64encode(b"a key that nobody may see").decode()
    parts = "DefaultEndpointsProtocol=http;AccountName=a;QueueEndpoint=http://127.0.0.1:1/a;AccountKey="
    with queue(parts + key, retry_total=0) as client, pytest.raises(StateUnavailable) as raised:
        AzureRequests(client).send(REQUEST)
    assert "AzureWebJobsStorage" in str(raised.value)
    assert key not in str(raised.value)


RUN_IDS = st.from_regex(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}", fullmatch=True)


@given(
    st.builds(
        Request,
        customer=st.from_regex(IDENTIFIER, fullmatch=True).map(CustomerId),
        run=RUN_IDS.map(RunId),
        mode=st.sampled_from(MODES),
        reason=st.text(min_size=1),
        actor=st.text(min_size=1),
        dry_run=st.booleans(),
        person=st.uuids().map(str) | st.just(""),
    )
)
def test_a_message_reads_back_as_the_request_that_it_is(request: Request) -> None:
    """Whoever the actor is and whatever the reason."""
    assert parse_request(request.to_json()) == request


def test_what_a_message_leaves_out_is_filled_in() -> None:
    """A script may put just a customer on the queue; the run's id comes from the message then."""
    run = run_id(7)
    request = parse_request('{"customer": "contoso"}', run)
    assert request == Request(CustomerId("contoso"), run, "full", "manual", "unknown")
    assert parse_request(json.dumps({"customer": "contoso", "run": run_id(8)}), run).run == run_id(8)


BAD: dict[str, list[object]] = {
    "run": ["", None, 7, "r", "20260105T090000Z", "20260105T090000Z-a/b", "run|1", "2026-01-05", []],
    "customer": ["", None, 7, "$budgets", "a/b", "Contoso", "contoso\n"],
    "mode": ["", None, "fast", "FULL", ["full"]],
    "reason": [None, 1, ""],
    "actor": [None, {}],
    "dry_run": [None, "yes", 1],
    "person": [None, 5, "Zoë"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_wrong_part_is_named(name: str, value: object) -> None:
    """The sentence says which part is wrong, and shows nothing of it."""
    with pytest.raises(ConfigurationError) as raised:
        parse_request(json.dumps({**asdict(REQUEST), name: value}))
    assert str(raised.value) == f"A sync request lacks, or holds something wrong as: {name}."


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"contoso"', "[" * 100_000, "\x00"])
def test_what_is_no_object_is_no_request(text: str) -> None:
    """The sentence shows what one looks like."""
    with pytest.raises(ConfigurationError, match="A sync request is a JSON object such as"):
        parse_request(text)


def test_several_wrong_parts_are_named_together() -> None:
    """Everything that is wrong is said at once."""
    with pytest.raises(ConfigurationError, match=r"customer, run, mode, dry_run\.$"):
        parse_request('{"mode": "x", "dry_run": 1}')
