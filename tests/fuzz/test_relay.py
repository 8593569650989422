"""Fuzzing what the relay sends: status lines, and the frames of an open connection."""

from typing import Any

import pytest
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from halo_adsync.directory.relay import Refusal, ending, refusal
from halo_adsync.directory.wire import LARGEST, Wire
from tests.support.fuzzing import LONGEST_SENTENCE, SECRET, Decoder, Fuzz
from tests.support.hostile import TEXTS, noisy

ADDRESS = parse_uri("wss://relay.example/$hc/dc01?sb-hc-action=connect")
REASONS = ("There are no listeners connected for the endpoint. TrackingId:1_G2", "Endpoint does not exist.")


def frames() -> tuple[bytes, ...]:
    """Return what a relay may send: bytes in pieces, a ping, and a close."""
    found = []
    for close in (False, True):
        relay = ServerProtocol(state=State.OPEN, max_size=None)
        relay.send_binary(b"0\x84\x00\x00\x00\x03", fin=False)
        relay.send_ping(b"there?")
        relay.send_continuation(SECRET.encode(), fin=True)
        if close:
            relay.send_close(1008, "The security token has expired.")
        found.append(b"".join(relay.data_to_send()))
    return tuple(found)


def understood(data: bytes) -> tuple[bytes, str]:
    """Return the bytes that came through an open connection, and how it is then said to have ended."""
    wire = Wire.__new__(Wire)
    wire._protocol = ClientProtocol(ADDRESS, state=State.OPEN, max_size=LARGEST)
    wire.is_over = False
    payload = wire._understand(data) + (b"" if wire.is_over else wire._understand(b""))
    assert wire.is_over
    return payload, ending(wire.close_code, has_spoken=bool(payload))


def check_passed(data: bytes, value: tuple[bytes, str]) -> None:
    """No more comes out than went in, and the ending is a sentence of ours alone."""
    payload, sentence = value
    assert len(payload) <= len(data)
    check_said(data, sentence)


def check_refusal(_: Any, value: Refusal) -> None:
    """It repeats nothing of what was sent but the status."""
    check_said(_, value.text)


def check_said(_: Any, text: str) -> None:
    """A text of fair length without what came."""
    assert text.isprintable()
    assert len(text) <= LONGEST_SENTENCE
    assert SECRET not in text


STATUSES = st.tuples(st.integers(100, 999), st.sampled_from(REASONS) | TEXTS | st.just(SECRET))
DECODERS = (
    Decoder("relay: refusals", STATUSES, lambda given: refusal(*given), Refusal, law=check_refusal),
    Decoder("relay: frames", noisy(st.sampled_from(frames())) | st.binary(max_size=80), understood,
            tuple[bytes, str], law=check_passed, known=(b"", b"\x88\x01\x03", b"\x82\x7f" + b"\xff" * 8)),
)  # fmt: skip


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_whatever_the_relay_sends(decoder: Decoder, fuzz: Fuzz) -> None:
    """It becomes bytes or a sentence, and never anything else."""
    fuzz.hold(decoder)
