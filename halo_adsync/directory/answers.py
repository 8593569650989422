"""How answers get from ldap3's socket into entries: messages that hold one never reach ldap3's decoder."""

from collections.abc import Callable
from typing import Any

from halo_adsync.directory.ber import DamagedAnswerError, messages, search_entry
from halo_adsync.directory.entry import RawEntry

_CHUNK = 1 << 16


class Answers:
    """Receives for one ldap3 connection. Entries are kept here, every other message is ldap3's to understand.

    ldap3's strategy asks for messages until one ends the operation; this takes the place of that asking only.
    Numbers, results, controls, references and notices stay ldap3's business.

    Args:
        connection: an ldap3 connection after the TLS handshake: what came before it in clear must not be
            taken for an answer.
        most: how many entries an operation may have, and how many other messages.
    """

    def __init__(self, connection: Any, most: int) -> None:
        self._entries: list[RawEntry] = []
        self._others = 0
        self.sink: Callable[[RawEntry], None] | None = None
        """Where entries go at once instead of being kept, however many there are."""
        self._most = most
        self._waiting = connection.strategy
        self._messages = messages(lambda: connection.socket.recv(_CHUNK))
        connection.strategy.receiving = self._receive

    def take(self) -> list[RawEntry]:
        """Return the entries that came since the last time."""
        taken, self._entries, self._others = self._entries, [], 0
        return taken

    def _receive(self) -> list[bytes]:
        """Return the next message that holds no entry, alone in a list; an empty list is the stream's end.

        Raises:
            DamagedAnswerError: what came is no message, no entry, without end, or nothing that was asked for.
        """
        for message in self._messages:
            found = search_entry(message)
            if found is None:
                self._others += 1
                if self._others > self._most:
                    raise DamagedAnswerError("an answer does not end")
                return [message]
            number, dn, attributes = found
            if number not in self._waiting._outstanding or len(self._entries) == self._most:  # noqa: SLF001
                raise DamagedAnswerError("an entry came that nobody has asked for")
            (self.sink or self._entries.append)(RawEntry.received(dn, attributes))
        return []
