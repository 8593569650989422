"""Users as Microsoft Graph lists them, in the domain's form."""

import base64
import uuid

import pytest

from halo_adsync.entra.codec import accounts_in, guid_of


def test_the_immutable_id_is_the_base64_of_the_bytes_as_the_directory_stores_them() -> None:
    """The first three parts of an objectGUID are stored with the lowest byte first (MS-DTYP, 2.3.4.2)."""
    assert guid_of("MyIRAFVEd2aImaq7zN3u/w==") == "00112233-4455-6677-8899-aabbccddeeff"
    guid = uuid.uuid4()
    assert guid_of(base64.b64encode(guid.bytes_le).decode()) == str(guid)


@pytest.mark.parametrize(
    "immutable", [None, "", 7, "ada@contoso.com", "AAAA", "A" * 24, "MyIRAFVEd2aImaq7zN3u/w"]
)
def test_another_anchor_belongs_to_no_account(immutable: object) -> None:
    """Cloud-only accounts and anchors that are no GUID are nobody's."""
    assert guid_of(immutable) is None


@pytest.mark.parametrize(
    "page", [{}, {"value": {}}, {"value": ["x"]}, {"value": [{}]}, {"value": [{"id": 7}]}]
)
def test_a_page_of_another_form_is_an_error(page: dict[str, object]) -> None:
    """What is not understood is not taken for a list without users."""
    with pytest.raises(ValueError, match=r"a page|a user"):
        list(accounts_in(page))


def test_what_is_not_told_is_not_held_against_anybody() -> None:
    """An account counts as disabled only where Graph says so, and may have no name."""
    page = {
        "value": [{"id": "a", "onPremisesImmutableId": "MyIRAFVEd2aImaq7zN3u/w==", "accountEnabled": None}]
    }
    ((_, account),) = accounts_in(page)
    assert (account.id, account.enabled, account.principal) == ("a", True, "")
