"""Unit: translating Halo's own directory integration into a customer file."""

from dataclasses import replace
from typing import Any

import pytest

from halo_adsync import yaml_text
from halo_adsync.bootstrap import HALO_FIELDS
from halo_adsync.customer import Customer, OuRule
from halo_adsync.customer_file import export, parse
from halo_adsync.errors import ConfigurationError, HaloUnavailable
from halo_adsync.halo.ldap_connection import (
    ContainerMapping,
    FieldMapping,
    LdapConnection,
    decode_connection,
    field_named,
)
from halo_adsync.takeover import Takeover, choose, take_over

BASE = "DC=corp,DC=contoso,DC=com"
PEOPLE = f"OU=People,{BASE}"
LEEDS = f"OU=Leeds,{PEOPLE}"
FILE: dict[str, Any] = {
    "id": "contoso",
    "name": "Contoso Ltd",
    "policy": "full",
    "halo": {
        "url": "https://contoso.example",
        "client_id": "app",
        "client_secret": {"secret": "contoso-halo"},
    },
    "directories": [
        {
            "id": "old",
            "servers": ["old.example:636"],
            "bind": {"user": "svc@old.example", "password": {"secret": "old-ad"}},
        }
    ],
    "scope": {"include": ["OU=Gone,DC=old"], "exclude": [f"OU=Robots,{PEOPLE}"]},
    "placement": {"client": {"name": "Contoso Ltd"}, "default_site": "Head Office"},
    "leavers": {"missing_runs": 5},
}
CONNECTION = LdapConnection(
    id=3,
    name="Contoso AD",
    host="dc01.corp.contoso.com",
    ssl=True,
    domain="corp.contoso.com",
    base_dn=BASE,
    user="svc-halo@corp.contoso.com",
    authentication="Basic",
    containers=(ContainerMapping(PEOPLE, site=101, client=11, filter="(mail=*)", recursive=True),),
    user_fields=(
        FieldMapping("displayName", field_named("name")),
        FieldMapping("mail", field_named("Email Address")),
    ),
    matching=(field_named("emailaddress"),),
)


def customer(**changes: Any) -> Customer:
    """Return the customer as it was before, with some blocks changed."""
    return parse(yaml_text.dump(FILE | changes))


def taken(**changes: Any) -> Takeover:
    """Take over the connection with some of its parts changed."""
    return take_over(customer(), replace(CONNECTION, **changes))


def container(dn: str = PEOPLE, **changes: Any) -> ContainerMapping:
    """Return a container that is mapped to a site like the connection's own, but for the changes."""
    return replace(CONNECTION.containers[0], dn=dn, **changes)


def fields(*pairs: tuple[str, str]) -> tuple[FieldMapping, ...]:
    """Return field mappings from attributes to Halo's labels."""
    return tuple(FieldMapping(attribute, field_named(label)) for attribute, label in pairs)


def said(found: Takeover, words: str) -> bool:
    """Tell whether a sentence of the report holds these words."""
    return any(words in sentence for sentence in found.report)


def test_the_blocks_of_a_plain_connection() -> None:
    """Everything that has a counterpart arrives in its block; the report says only what is to be done."""
    found = taken()
    assert yaml_text.load(export(found.customer)) == FILE | {
        "directories": [
            {
                "id": "corp",
                "servers": ["dc01.corp.contoso.com:636"],
                "tls": "ldaps",
                "bind": {
                    "user": "svc-halo@corp.contoso.com",
                    "password": {"secret": "contoso-corp-ad"},
                },
                "base_dn": BASE,
            }
        ],
        "scope": {"include": [PEOPLE], "exclude": [f"OU=Robots,{PEOPLE}"], "filter": "(mail=*)"},
        "placement": {
            "client": {"id": 11},
            "rules": [{"ou": PEOPLE, "site": {"id": 101}}],
            "default_site": "Head Office",
        },
        "fields": {"name": {"from": "displayName"}, "emailaddress": {"from": "mail"}},
        "match": ["third_party_guid", "emailaddress"],
    }
    assert said(found, "put the one of svc-halo@corp.contoso.com into Key Vault as contoso-corp-ad")
    assert said(found, "ca_certificate")
    assert said(found, "The directory old is no part of this connection")
    assert len(found.report) == 3


def test_the_file_is_read_back_as_it_was_written() -> None:
    """The text parses to the same customer and is written the same again."""
    found = taken(containers=(container(), container(LEEDS, site=102, client=12, filter="(sn=*)")))
    text = export(found.customer)
    again = parse(text, halo_fields=HALO_FIELDS)
    assert again == found.customer
    assert export(again) == text


def test_taking_over_twice_changes_nothing() -> None:
    """A second takeover keeps the directory that the first one made, and the rest is the same."""
    first = taken()
    second = take_over(first.customer, CONNECTION)
    assert second.customer == first.customer
    assert said(second, "The directory corp of the file has this server")


def test_the_nearest_container_answers_first() -> None:
    """Rules stand deepest first, and name a client only where it is not the usual one."""
    containers = (
        container(),
        container(LEEDS, site=102, client=12),
        container(f"OU=York,{PEOPLE}", site=103),
    )
    rules = taken(containers=containers).customer.placement.rules
    assert [
        (rule.ou, rule.site.id, rule.client and rule.client.id) for rule in rules if isinstance(rule, OuRule)
    ] == [(LEEDS, 102, 12), (f"OU=York,{PEOPLE}", 103, None), (PEOPLE, 101, None)]


@pytest.mark.parametrize(
    ("filters", "shared"),
    [
        (("(mail=*)", "mail=*"), "(mail=*)"),
        (("(mail=*)", "(sn=*)"), "(|(mail=*)(sn=*))"),
        (("(mail=*)", ""), ""),
        (("(mail=*)(sn=*)", "(mail=*)(sn=*)"), "(&(mail=*)(sn=*))"),
        (("(mail=*", "(mail=*)"), ""),
    ],
)
def test_filters_become_one_that_loses_nobody(filters: tuple[str, str], shared: str) -> None:
    """Equal filters stay, differing ones are joined by OR, and where one is missing or wrong none is left."""
    first, second = filters
    found = taken(containers=(container(filter=first), container(LEEDS, filter=second)))
    assert found.customer.scope.filter == shared
    assert said(found, "holds for all of them") == (shared not in {"(mail=*)", "(&(mail=*)(sn=*))"})
    assert said(found, "is no LDAP filter") == (first == "(mail=*")


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (container(LEEDS, recursive=False), f"{LEEDS}: Halo reads this container alone"),
        (container(LEEDS, user_role=4), f"{LEEDS}: the user role 4"),
        (container(LEEDS, site=None), f"{LEEDS}: Halo names no site"),
        (container(LEEDS, client=None), f"{LEEDS}: Halo names no client for site 101"),
        (container(LEEDS, board=True), f"{LEEDS}: mappings to change advice boards"),
        (container("Leeds"), "'Leeds' is no distinguished name"),
        (container(PEOPLE.lower(), site=102), "Halo maps it to site 101 and to site 102"),
    ],
)
def test_containers_without_a_counterpart_are_reported(odd: ContainerMapping, words: str) -> None:
    """What a rule cannot say of a container is a sentence that names the container."""
    assert said(taken(containers=(container(), odd)), words)


@pytest.mark.parametrize(
    "odd", [container(LEEDS, site=None), container(LEEDS, board=True), container("Leeds")]
)
def test_containers_that_are_left_out_widen_nothing(odd: ContainerMapping) -> None:
    """A container without a site or a name is neither in scope nor a rule."""
    found = taken(containers=(odd, container())).customer
    assert found.scope.include == (PEOPLE,)
    assert found.placement_ous() == (PEOPLE,)


def test_a_container_without_a_site_does_not_hide_its_second_mapping() -> None:
    """Of two mappings of one container, the one that names a site is taken over."""
    found = taken(containers=(container(site=None), container(site=102)))
    assert found.customer.placement_ous() == (PEOPLE,)


@pytest.mark.parametrize("containers", [(), (container(agents=True),), (container(site=None),)])
def test_nothing_to_take_over(containers: tuple[ContainerMapping, ...]) -> None:
    """Without a container that has a site there is no file: an empty scope would be the whole directory."""
    with pytest.raises(ConfigurationError, match="maps no container to a site"):
        taken(containers=containers)


def test_agent_containers_go_to_the_agents_block() -> None:
    """Agent containers are the agents' OUs, not places of users; filter, role and creation are reported."""
    desk = container(f"OU=Desk,{BASE}", agents=True, agent_role="6f3f3c39", site=None)
    found = taken(containers=(container(), desk))
    assert found.customer.agents.ous == (f"OU=Desk,{BASE}",)
    assert found.customer.scope.include == (PEOPLE,)
    assert not found.customer.agents.create
    for words in ("the agents block has no filter", "the agent role 6f3f3c39", "agents.create is off"):
        assert said(found, words)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (("title", "Shoe size"), "'title' to 'Shoe size': this sync knows no such Halo field"),
        (("objectGUID", "third_party_guid"), "the sync itself decides this field"),
        (("mailNickname", "email"), "emailaddress is mapped already, from mail"),
        (("employee number", "title"), "this is no attribute's name"),
        (("{{ title }}", "title"), "this is no attribute's name"),
        (("", "title"), "this is no attribute's name"),
    ],
)
def test_field_mappings_without_a_counterpart_are_reported(pair: tuple[str, str], words: str) -> None:
    """A mapping that cannot be taken over is named and leaves the others as they are."""
    found = taken(user_fields=(*CONNECTION.user_fields, *fields(pair)))
    assert said(found, words)
    assert found.customer.fields == taken().customer.fields


def test_custom_fields_are_taken_over() -> None:
    """A custom field keeps the name that Halo gave it."""
    found = taken(user_fields=fields(("displayName", "name"), ("employeeID", "CFStaffNumber")))
    assert found.customer.fields["CFStaffNumber"].source == "employeeID"


def test_a_missing_name_gets_the_default() -> None:
    """Halo takes no user without a name, so its default is put in and reported."""
    found = taken(user_fields=fields(("mail", "email")))
    assert found.customer.fields["name"].source == "{{ displayName or cn }}"
    assert said(found, "Halo maps nothing to the name")


def test_no_field_mappings_at_all() -> None:
    """Without mappings the file has the defaults."""
    found = taken(user_fields=())
    assert found.customer.fields == customer().fields
    assert said(found, "the defaults of this sync")


def test_matching_fields() -> None:
    """Known matching fields follow the GUID in order; others, and rungs that nothing fills, are reported."""
    found = taken(matching=tuple(map(field_named, ("Network Login", "Email", "Surname"))))
    assert found.customer.match == ("third_party_guid", "login", "emailaddress")
    assert said(found, "The matching field 'Surname' has no counterpart")
    assert said(found, "match names login, but no mapping fills it")
    assert not said(found, "match names emailaddress")


def test_no_matching_fields() -> None:
    """Where Halo names none, the file's own ladder stays."""
    found = take_over(customer(match=["emailaddress"]), replace(CONNECTION, matching=()))
    assert found.customer.match == ("emailaddress",)
    assert said(found, "match stays as it is")


@pytest.mark.parametrize(
    ("changes", "servers", "tls"),
    [
        ({}, ["dc01.corp.contoso.com:636"], "ldaps"),
        ({"port": 10636}, ["dc01.corp.contoso.com:10636"], "ldaps"),
        ({"ssl": False}, ["dc01.corp.contoso.com:389"], "starttls"),
        ({"ssl": False, "port": 3268}, ["dc01.corp.contoso.com:389"], "starttls"),
        ({"port": 3269}, ["dc01.corp.contoso.com:636"], "ldaps"),
        ({"host": "LDAP://dc02.corp:1636/DC=corp"}, ["dc02.corp:1636"], "ldaps"),
        ({"host": "a.corp; b.corp"}, ["a.corp:636", "b.corp:636"], "ldaps"),
        ({"host": ""}, ["corp.contoso.com:636"], "ldaps"),
    ],
)
def test_servers(changes: dict[str, Any], servers: list[str], tls: str) -> None:
    """Host, port and SSL become servers and tls; encryption is never given up."""
    block = taken(**changes).customer.directories[0]
    assert (list(block.servers), block.tls) == (servers, tls)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ssl": False}, "Halo's connection is not encrypted"),
        ({"port": 3268}, "Halo asks the global catalog"),
        ({"host": "10.0.0.5"}, "10.0.0.5 is no full host name"),
        ({"host": "DC01"}, "dc01 is no full host name"),
        ({"authentication": "Negotiate"}, "Halo signs in with Negotiate"),
        ({"user": "svc"}, "the file has svc@corp.contoso.com"),
        ({"user": ""}, "the file has svc@old.example, as before"),
        ({"base_dn": "OU=Elsewhere,DC=corp"}, "The base DN OU=Elsewhere,DC=corp is left out"),
        ({"base_dn": "corp.contoso.com"}, "The base DN corp.contoso.com is left out"),
        ({"host": "", "domain": ""}, "as Halo names no host"),
        ({"onboarding": True}, "Halo opens a ticket for each new user"),
        ({"integrator": True}, "switch it off before the first sync"),
        ({"guid_attribute": "employeeID"}, "Halo takes GUIDs from employeeID"),
        ({"agent_fields": fields(("mail", "email"))}, "Halo maps fields of agents, but no container"),
        ({"onboarding_fields": fields(("mail", "email"))}, "The field mappings for new users"),
        ({"agent_matching": (field_named("email"),)}, "Halo maps fields of agents, but no container"),
    ],
)
def test_what_a_connection_has_without_a_counterpart_is_reported(changes: dict[str, Any], words: str) -> None:
    """Each peculiarity of a connection is a sentence, which a plain connection does not cause."""
    assert said(taken(**changes), words)
    assert not said(taken(), words)


AGENT_PAIRS = (
    ("displayName", "Name"),
    ("mail", "Email Address"),
    ("sAMAccountName", "AD"),
    ("manager", "Line Manager"),
    ("title", "Job Title"),
    ("telephoneNumber", "Extension Number"),
)


def test_the_mappings_and_matching_fields_of_agents_are_taken_over() -> None:
    """Labels that users' fields have too mean the agents' own; the manager becomes the agent's number."""
    desk = container(f"OU=Desk,{BASE}", agents=True, site=None)
    found = taken(
        containers=(*CONNECTION.containers, desk),
        agent_fields=fields(*AGENT_PAIRS),
        agent_matching=(field_named("Network Login"), field_named("email")),
    )
    block = found.customer.agents
    assert {name: rule.source for name, rule in block.fields.items()} == {
        "name": "displayName",
        "email": "mail",
        "ad": "sAMAccountName",
        "linemanager": "{{ manager_agent_id }}",
        "jobtitle": "title",
        "extensionnumber": "telephoneNumber",
    }
    assert block.match == ("third_party_guid", "ad", "email")


def test_what_agents_have_no_counterpart_for_is_reported() -> None:
    """Unknown fields, one mapped twice, a name that is lacking, and a rung that nothing fills."""
    desk = container(f"OU=Desk,{BASE}", agents=True, site=None)
    found = taken(
        containers=(*CONNECTION.containers, desk),
        agent_fields=fields(("mail", "email"), ("other", "email"), ("x", "Shoe Size"), ("{{ cn }}", "ad")),
        agent_matching=(field_named("Surname"), field_named("ad")),
    )
    for words in (
        "'x' to the agents' 'Shoe Size': this sync knows no such field of agents",
        "email is mapped already, from mail",
        "'{{ cn }}' to the agents' 'ad': this is no attribute's name",
        "Halo maps nothing to the agents' name",
        "The matching field 'Surname' has no counterpart; agents",
        "agents.match names ad, but no mapping fills it",
    ):
        assert said(found, words), words
    assert found.customer.agents.fields["name"].source == "{{ displayName or cn }}"


def test_the_ticket_for_new_users_is_taken_over() -> None:
    """Halo's own is switched on here too, with what Halo puts into it; what no template can name is told."""
    mapped = fields(("title", "Job Title"), ("msDS-cloudExtensionAttribute1", "Start"))
    found = taken(onboarding=True, onboarding_fields=mapped)
    ticket = found.customer.onboarding.ticket
    assert ticket is not None
    assert ticket.details == "Job Title: {{ title }}"
    assert said(found, "msDS-cloudExtensionAttribute1")
    plain = taken(onboarding=True).customer.onboarding.ticket
    assert (plain and plain.details, taken().customer.onboarding.ticket) == (None, None)


def test_several_connections_are_reported() -> None:
    """The other connections of the instance are named with their ids."""
    other = LdapConnection(4, "School")
    found = take_over(customer(), CONNECTION, [CONNECTION, other])
    assert said(found, "further LDAP connections, which are not taken over: 4 (School).")


def test_choosing_a_connection() -> None:
    """The only one needs no choice; of several, or of none, a sentence says what there is."""
    other = LdapConnection(4, "School")
    assert choose([CONNECTION], None) is CONNECTION
    assert choose([CONNECTION, other], 4) is other
    with pytest.raises(ConfigurationError, match=r"several LDAP connections.*3 \(Contoso AD\), 4 \(School\)"):
        choose([CONNECTION, other], None)
    with pytest.raises(ConfigurationError, match=r"no LDAP connection 9.*3 \(Contoso AD\)"):
        choose([CONNECTION], 9)
    with pytest.raises(ConfigurationError, match="Halo has no LDAP connection to take over"):
        choose([], None)


@pytest.mark.parametrize(
    ("label", "field"),
    [
        ("emailaddress", "emailaddress"),
        ("Email Address", "emailaddress"),
        ("E-Mail", "emailaddress"),
        ("Job Title", "title"),
        ("CFStaffNumber", "CFStaffNumber"),
        ("site_id", "site_id"),
        ("Shoe size", None),
        ("", None),
    ],
)
def test_labels_of_fields(label: str, field: str | None) -> None:
    """A field is known by its API name or its label, whatever case and punctuation; others stay unknown."""
    assert field_named(label).field == field


def test_decoding_a_record() -> None:
    """Numbers come as doubles or text, DNs as ADSI paths, zero is nothing, and passwords stay out."""
    found = decode_connection(
        {
            "id": 3.0,
            "name": " Contoso AD ",
            "port": "0",
            "use_ssl": True,
            "username": "svc",
            "phppassword": "hunter2",
            "new_password": "hunter2",
            "integrator_password": "hunter2",
            "basedn": "LDAP://DC=corp",
            "ldap_strings": [
                {
                    "ldapstring": f"LDAP://dc01:389/{PEOPLE}",
                    "site_id": 101.0,
                    "client_id": 0,
                    "role_id": None,
                },
                {"dn": LEEDS, "isrecursive": True, "agentmapping": "true", "cabmapping": False},
            ],
            "cab_ldap_strings": [{"dn": "OU=Board,DC=corp"}],
            "mappings_user": [{"ldap_field": "mail", "nhd_field": "emailaddress"}],
            "mappings_agent": None,
            "user_matching_fields": "emailaddress; login",
            "agent_matching_list": [{"id": "7", "name": "Email"}, {"id": "login", "name": "?"}],
            "new_user_template": 0,
        }
    )
    assert "hunter2" not in repr(found)
    assert (found.id, found.name, found.port, found.ssl) == (3, "Contoso AD", None, True)
    assert found.base_dn == "DC=corp"
    assert found.containers == (
        ContainerMapping(PEOPLE, site=101),
        ContainerMapping(LEEDS, recursive=True, agents=True),
        ContainerMapping("OU=Board,DC=corp", board=True),
    )
    assert [mapping.target.field for mapping in found.user_fields] == ["emailaddress"]
    assert [name.field for name in found.matching] == ["emailaddress", "login"]
    assert [name.field for name in found.agent_matching] == ["emailaddress", "login"]
    assert not found.onboarding


def test_a_bare_record_is_empty() -> None:
    """What a record does not carry is off, empty or unknown; nothing is assumed."""
    assert decode_connection({"id": 1, "name": "corp"}) == LdapConnection(1, "corp")


def test_a_record_without_an_id_is_refused() -> None:
    """A connection that cannot be asked for by its id is an unreadable answer."""
    with pytest.raises(HaloUnavailable):
        decode_connection({"name": "corp"})
