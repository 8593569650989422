"""Unit: between Halo's records and the domain's types."""

import json

import pytest

from halo_adsync.errors import HaloUnavailable, RecordRejected
from halo_adsync.halo.codec import (
    FIELDS,
    WIDTHS,
    canonical_guid,
    canonical_text,
    decode_user,
    echoes,
    encode_user,
    exact_search,
    identity,
    listed_fields,
    parse,
)
from halo_adsync.halo.place_codec import decode_client, decode_site, encode_client, encode_site
from halo_adsync.halo.port import SiteWrite, UserWrite
from halo_adsync.model import HaloClientId, HaloSiteId, HaloUserId, ObjectGuid

GUID = ObjectGuid("0a1b2c3d-0000-4000-8000-00000000000f")
RECORD = {
    "id": 7,
    "client_id": 3,
    "site_id": 95.0,
    "name": " Ann ",
    "emailaddress": None,
    "inactive": False,
    "third_party_guid": f"{{{GUID.upper()}}}",
    "neversendemails": True,
    "useadlogin": 1.0,
}


def test_a_user_is_read_in_canonical_form() -> None:
    """Doubles become ids, null becomes empty, flags and numbers become text, the GUID loses its braces."""
    user = decode_user(RECORD, {"Name", "EmailAddress", "neversendemails", "useadlogin", "title"})
    assert (user.id, user.client, user.site, user.active, user.guid) == (7, 3, 95, True, GUID)
    assert isinstance(user.site, int)
    assert user.fields == {
        "Name": "Ann",
        "EmailAddress": "",
        "neversendemails": "true",
        "useadlogin": "1",
        "title": "",
    }


def test_names_are_taken_without_regard_to_case() -> None:
    """An answer's names are lower-cased at every depth before anything reads them."""
    record = parse(b'{"ID": 7, "Client_Id": 3, "CustomFields": [{"Name": "CFx", "Value": 1}]}')
    assert decode_user(record, {"cfX"}).fields == {"cfX": "1"}


def test_custom_fields_are_read_where_they_are_listed() -> None:
    """A record with custom fields answers for all of them, one without for none."""
    listed = RECORD | {"customfields": [{"id": 1, "name": "CFDesk", "value": "12"}]}
    assert decode_user(listed, {"CFDesk", "CFRoom"}).fields == {"CFDesk": "12", "CFRoom": ""}
    assert decode_user(RECORD, {"CFDesk", "CFRoom"}).fields == {}


@pytest.mark.parametrize(
    "marks", [{"name": "GENERAL user"}, {"isgeneraluser": True}, {"id": -1}, {"id": 0}], ids=str
)
def test_general_users_are_known_by_name_flag_or_id(marks: dict[str, object]) -> None:
    """Each of the marks of a General User is enough."""
    assert decode_user(RECORD | marks, ()).general
    assert not decode_user(RECORD, ()).general


@pytest.mark.parametrize(
    ("marks", "managed"),
    [
        ({}, False),
        ({"adconnection": 0, "azure_connectionid": None}, False),
        ({"adconnection": 2}, True),
        ({"azure_connectionid": 5.0}, True),
    ],
)
def test_users_of_halos_own_integrations_are_marked(marks: dict[str, object], *, managed: bool) -> None:
    """A connection's id, and not a zero, says that another master manages the user."""
    assert decode_user(RECORD | marks, ()).managed_elsewhere is managed


def test_a_record_without_id_or_client_is_no_user() -> None:
    """What cannot be placed is an error and never half a user."""
    with pytest.raises(HaloUnavailable, match="without an id"):
        decode_user({"client_id": 3}, ())
    with pytest.raises(HaloUnavailable, match="without its client"):
        decode_user({"id": 3}, ())
    assert decode_user({"id": 3}, (), HaloClientId(9)).client == 9


def test_a_new_user_is_stamped_and_quiet() -> None:
    """A create carries the stamp, its site, no welcome mail and no automation."""
    write = UserWrite(GUID, None, HaloSiteId(95), fields={"Name": "Ann", "CFDesk": "12", "useadlogin": "1"})
    assert encode_user(write) == {
        "third_party_guid": GUID,
        "sendwelcomeemail": False,
        "_dont_fire_automations": True,
        "site_id": 95,
        "name": "Ann",
        "useadlogin": 1,
        "customfields": [{"name": "CFDesk", "value": "12"}],
    }


def test_an_update_names_only_what_changes() -> None:
    """An update has its id and the changes; the stamp only when it is asked for."""
    assert encode_user(UserWrite(GUID, HaloUserId(7), active=False)) == {"id": 7, "inactive": True}
    adoption = UserWrite(GUID, HaloUserId(7), fields={"third_party_guid": GUID})
    assert encode_user(adoption) == {"id": 7, "third_party_guid": GUID}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"neversendemails": "perhaps"}, "neversendemails: the value must be true or false."),
        ({"useadlogin": "Jane"}, "useadlogin: the value must be a whole number."),
        ({"surname": "x" * 201}, "surname: the value has 201 characters; Halo takes 200 there."),
    ],
)
def test_a_value_that_does_not_fit_is_rejected_unquoted(fields: dict[str, str], reason: str) -> None:
    """The reason names the field and not the value."""
    with pytest.raises(RecordRejected) as caught:
        encode_user(UserWrite(GUID, HaloUserId(7), fields=fields))
    assert str(caught.value) == reason


def test_a_create_without_a_site_is_rejected() -> None:
    """Halo has no place for a user without a site."""
    with pytest.raises(RecordRejected, match="site"):
        encode_user(UserWrite(GUID, None, fields={"name": "Ann"}))


@pytest.mark.parametrize(
    ("field", "text", "canonical"),
    [
        ("name", " Ann ", "Ann"),
        ("neversendemails", " TRUE", "true"),
        ("neversendemails", "", "false"),
        ("useadlogin", "007", "7"),
        ("useadlogin", "", "0"),
        ("CFFlag", "True", "True"),
    ],
)
def test_canonical_text_is_what_halo_will_answer(field: str, text: str, canonical: str) -> None:
    """A value in canonical form equals what is read back after it was written."""
    assert canonical_text(field, text) == canonical


def test_places_are_read_and_written_with_the_mark_of_their_ou() -> None:
    """Sites and clients carry the OU's GUID both ways; what is not known is not sent."""
    site = decode_site(
        {"id": 5.0, "client_id": 3.0, "name": "Leeds", "inactive": True, "actguid": GUID}, HaloClientId(1)
    )
    assert (site.id, site.client, site.name, site.active, site.guid) == (5, 3, "Leeds", False, GUID)
    client = decode_client({"id": 3, "name": "Contoso", "actguid": ""})
    assert (client.id, client.name, client.active, client.guid) == (3, "Contoso", True, None)
    assert encode_site(SiteWrite(HaloClientId(3), "Leeds", GUID, "OU=Leeds")) == {
        "name": "Leeds",
        "client_id": 3,
        "actguid": GUID,
        "ldapstring": "OU=Leeds",
    }
    assert encode_site(SiteWrite(HaloClientId(3), "Leeds")) == {"name": "Leeds", "client_id": 3}
    assert encode_client("Contoso", "Main", None) == {"name": "Contoso", "newclient_sitename": "Main"}
    assert encode_client("Contoso", "Main", GUID)["actguid"] == GUID


@pytest.mark.parametrize("text", [None, "", "no guid", 12, "0a1b2c3d", f"{GUID}0"])
def test_what_is_no_guid_is_none(text: object) -> None:
    """Stamps of other programs are not taken for GUIDs."""
    assert canonical_guid(text) is None


def test_general_users_that_share_an_id_are_told_apart() -> None:
    """Records up to id 0 count by their site; others by id alone, whatever type it comes in."""
    assert identity({"id": -1, "site_id": 1.0}) != identity({"id": -1, "site_id": 2.0})
    assert identity({"id": 7, "site_id": 1.0}) == identity({"id": 7.0, "site_id": 2.0})


def test_an_answer_about_somebody_else_is_no_echo() -> None:
    """An answered record is not taken for one that was sent when a telling field differs."""
    sent = {"name": "Ann", "emailaddress": "a@example.test"}
    assert echoes(sent, {"id": 1, "name": "ann ", "emailaddress": None})
    assert not echoes(sent, {"id": 1, "name": "Ann", "emailaddress": "b@example.test"})


def test_the_search_is_exact() -> None:
    """The search parameter is JSON with filter type 2."""
    assert json.loads(exact_search("EmailAddress", 'a"b')) == [
        {"filter_name": "emailaddress", "filter_type": 2, "filter_value": 'a"b'}
    ]


def test_the_tables_of_fields_agree() -> None:
    """Every width is that of a field that can be mapped; identity, place and state cannot be."""
    assert WIDTHS.keys() <= FIELDS.keys()
    assert not FIELDS.keys() & {"id", "site_id", "client_id", "inactive", "third_party_guid"}
    assert listed_fields({"Title", "CFDesk"}) == {"title", "third_party_guid"}
