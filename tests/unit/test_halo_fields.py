"""Which of Halo's user fields a customer's file may map: all that are known, but for those the sync owns."""

import pytest

from halo_adsync.customer import OWNED_BY_THE_SYNC
from halo_adsync.errors import RecordRejected
from halo_adsync.halo.codec import FIELDS, canonical_text, decode_user, encode_user, is_detail
from halo_adsync.halo.port import UserWrite
from halo_adsync.model import HaloClientId, HaloUserId, ObjectGuid

KNOWN = {
    "identity": "id third_party_guid activedirectory_dn container_dn samaccountname adconnection",
    "names": "name firstname surname initials title",
    "contact": "emailaddress email2 email3 fax",
    "telephone": "phonenumber sitephonenumber homenumber mobilenumber mobilenumber2",
    "sign-in": "login useadlogin azureoid azure_tenant_id",
    "place": "site_id site_id_int client_id department departments",
    "manager": "admanager manager_email",
    "agent": "linked_agent_id",
    "state": "inactive isserviceaccount neversendemails sendwelcomeemail",
    "free": "other1 other2 other3 other4 other5 notes customfields",
}
"""Every user field that is known of Halo, by its purpose."""
OTHERWISE = {"site_id_int", "customfields"}
"""A second spelling of the site, and the list that the custom fields (`CF...`) stand in."""


def test_every_known_field_can_be_mapped_or_belongs_to_the_sync() -> None:
    """Nothing that Halo is known to hold of a user is out of reach, and nothing is both."""
    assert FIELDS.keys() | OWNED_BY_THE_SYNC | OTHERWISE == set(" ".join(KNOWN.values()).split())
    assert not FIELDS.keys() & OWNED_BY_THE_SYNC


def write(**fields: str) -> dict[str, object]:
    """Return what is sent to change these fields of a user."""
    return encode_user(UserWrite(ObjectGuid("0" * 8), HaloUserId(7), fields=fields))


def test_departments_are_written_and_read_by_their_ids() -> None:
    """A list of records in Halo, ids in the file: in order, each once, and the same when read again."""
    assert canonical_text("departments", " 12, 3,12 ") == "3,12"
    assert write(departments="3,12")["departments"] == [{"department_id": 3}, {"department_id": 12}]
    assert write(departments="")["departments"] == []
    rows = [{"id": 900, "department_id": 12.0, "department_name": "IT"}, {"id": 901, "department_id": 3}]
    read = decode_user({"id": 7, "departments": rows}, {"departments"}, HaloClientId(1))
    assert read.fields == {"departments": "3,12"}
    assert decode_user({"id": 7}, {"departments"}, HaloClientId(1)).fields == {}
    assert is_detail("Departments")


@pytest.mark.parametrize("text", ["IT", "3;4", "-1", "0", "3,4.5"])
def test_departments_are_ids_and_nothing_else(text: str) -> None:
    """A name is no id: it is refused before anything is sent, and again by the codec."""
    with pytest.raises(ValueError, match=r"id|int"):
        canonical_text("departments", text)
    with pytest.raises(RecordRejected, match="ids, separated by commas"):
        write(departments=text)


def test_the_mark_of_halos_own_integration_can_be_taken_off() -> None:
    """`adconnection: 0` is how somebody is given over from Halo's own integration to this one."""
    assert canonical_text("adconnection", "0") == "0"
    assert write(adconnection="0")["adconnection"] == 0
