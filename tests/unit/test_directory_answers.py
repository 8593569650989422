"""What is received for a connection: entries are kept, all else is ldap3's, and nothing comes unasked."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from devstack.directory import ber
from halo_adsync.directory.answers import Answers
from halo_adsync.directory.ber import DamagedAnswerError

SEARCH_ENTRY, SEARCH_DONE, SEARCH_REFERENCE = 0x64, 0x65, 0x73


def entry(name: str, number: int = 5) -> bytes:
    """Encode a message with an entry without attributes."""
    return message(number, ber.element(SEARCH_ENTRY, ber.octets(name), ber.element(ber.SEQUENCE)))


def message(number: int, operation: bytes) -> bytes:
    """Encode a message."""
    return ber.element(ber.SEQUENCE, ber.integer(number), operation)


DONE = message(5, ber.element(SEARCH_DONE, b"\x0a\x01\0\x04\0\x04\0"))


def connection(*parts: bytes) -> SimpleNamespace:
    """Stand in for an ldap3 connection that waits for request 5's answer."""
    waiting = iter([*parts, b""])
    return SimpleNamespace(
        strategy=SimpleNamespace(_outstanding={5: {}}), socket=SimpleNamespace(recv=lambda _: next(waiting))
    )


def test_entries_are_kept_and_the_rest_is_ldap3s() -> None:
    """ldap3 sees one message at a time and no entry; entries are given once; at the end there is nothing."""
    stream = connection(entry("CN=a") + entry("CN=b"), DONE + entry("CN=c") + DONE)
    answers = Answers(stream, 1000)
    assert stream.strategy.receiving() == [DONE]
    assert [found.dn for found in answers.take()] == ["CN=a", "CN=b"]
    assert stream.strategy.receiving() == [DONE]
    assert [found.dn for found in answers.take()] == ["CN=c"]
    assert answers.take() == []
    assert stream.strategy.receiving() == []


def test_as_many_entries_as_were_asked_for() -> None:
    """A page may be full; a server that sends more does not fill the memory with it."""
    stream = connection(entry("CN=a") + entry("CN=b") + DONE)
    Answers(stream, 2)
    assert stream.strategy.receiving() == [DONE]
    stream = connection(entry("CN=a") + entry("CN=b") + DONE)
    Answers(stream, 1)
    with pytest.raises(DamagedAnswerError, match="nobody has asked for"):
        stream.strategy.receiving()


def test_entry_of_another_request() -> None:
    """An entry under a number that nobody waits for is none of this answer's."""
    stream = connection(entry("CN=a", number=4) + DONE)
    Answers(stream, 1000)
    with pytest.raises(DamagedAnswerError, match="nobody has asked for"):
        stream.strategy.receiving()


def test_answers_that_never_end() -> None:
    """References and notices fill no memory either: as many as entries, then the answer is refused."""
    reference = message(5, ber.element(SEARCH_REFERENCE, ber.octets("ldap://dc02.corp.example")))
    stream = connection(*[reference] * 7)
    answers = Answers(stream, 3)
    assert [stream.strategy.receiving() for _ in range(3)] == [[reference]] * 3
    assert answers.take() == []
    assert [stream.strategy.receiving() for _ in range(3)] == [[reference]] * 3
    with pytest.raises(DamagedAnswerError, match="does not end"):
        stream.strategy.receiving()
