"""From the entries of one read to people: what many share is worked out once, and kept once."""

from collections.abc import Collection
from datetime import datetime

from halo_adsync.directory.attributes import attribute_value
from halo_adsync.directory.entry import STATE, AccountControl, RawEntry, account_control, account_expires
from halo_adsync.model import AttributeValue, ObjectGuid, Person

_REMEMBERED = 4096
"""Different values of an attribute: enough for offices, titles and managers. Of names the rest are unique."""

_STATE = [name.lower() for name in STATE]

type _Values = tuple[bytes, ...]


class PersonCodec:
    """Turns entries into people. It remembers values of theirs, so it must not outlive the read.

    Args:
        directory: the directory's id in the customer file.
        attributes: lower-case names of the attributes to keep.
    """

    def __init__(self, directory: str, attributes: Collection[str]) -> None:
        self._directory = directory
        self._known: dict[str, dict[_Values, AttributeValue | None]] = {
            name: {} for name in sorted(attributes)
        }
        self._states: dict[tuple[_Values, _Values], tuple[bool, datetime | None]] = {}

    def person(self, entry: RawEntry, parent: ObjectGuid) -> Person:
        """Turn an entry into a person.

        Args:
            entry: the entry, with all values of its attributes.
            parent: the GUID of the container that it stands in.

        Raises:
            IncompleteRead: the entry lacks its identity, or what tells whether the account is enabled.
        """
        guid = entry.guid
        enabled, expires = self._state(entry)
        return Person(
            guid=guid,
            dn=entry.dn,
            directory=self._directory,
            parent=parent,
            enabled=enabled,
            expires=expires,
            attributes=self._attributes(entry),
        )

    def _attributes(self, entry: RawEntry) -> dict[str, AttributeValue]:
        found: dict[str, AttributeValue] = {}
        for name, known in self._known.items():
            given = entry.attributes.get(name)
            if not given:
                continue
            values = tuple(given)
            if values in known:
                value = known[values]
            else:
                value = attribute_value(name, values)
                if len(known) < _REMEMBERED:
                    known[values] = value
            if value is not None:
                found[name] = value
        return found

    def _state(self, entry: RawEntry) -> tuple[bool, datetime | None]:
        """Tell whether the account is enabled, and when it expires."""
        control, expires = (tuple(entry.attributes.get(name, ())) for name in _STATE)
        state = self._states.get((control, expires))
        if state is None:
            state = AccountControl.DISABLED not in account_control(entry), account_expires(entry)
            if len(self._states) < _REMEMBERED:
                self._states[control, expires] = state
        return state
