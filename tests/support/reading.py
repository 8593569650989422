"""One read of a directory, and the sentence with which it ends where it fails."""

import pytest

from halo_adsync.directory.ldap import LdapDirectory
from halo_adsync.directory.port import ReadRequest
from halo_adsync.errors import DirectoryRefused, IncompleteRead
from halo_adsync.model import DirectoryRead


def read(directory: LdapDirectory, *include: str) -> DirectoryRead:
    """Read the people of some OUs and close the connection."""
    with directory:
        return directory.read(ReadRequest(frozenset({"mail"}), include=include), lambda _: None)


def refusal(directory: LdapDirectory) -> str:
    """Return the sentence with which a read is refused."""
    with pytest.raises(DirectoryRefused) as caught:
        read(directory)
    return str(caught.value)


def failure(directory: LdapDirectory, *include: str) -> str:
    """Return the sentence with which a read ends as incomplete."""
    with pytest.raises(IncompleteRead) as caught:
        read(directory, *include)
    return str(caught.value)
