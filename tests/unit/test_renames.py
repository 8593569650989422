"""Renames of mirrored clients and sites: only if asked for, of what is ours, and to a name that is free."""

from dataclasses import replace

from halo_adsync.model import HaloClientId, HaloSiteId, ObjectGuid, Place
from halo_adsync.plan.renames import renames
from halo_adsync.plan.types import FieldChange, Kind
from halo_adsync.plan.wanted import WantedClient, WantedSite

CLIENT = WantedClient("client:id:1")
LEEDS = WantedSite("site:ou:a@c", CLIENT, "Leeds", guid=ObjectGuid("a"), dn="OU=Leeds,DC=x", renamed=True)
YORK = WantedSite("site:ou:b@c", CLIENT, "York", guid=ObjectGuid("b"), dn="OU=York,DC=x", renamed=True)


def there(
    site: WantedSite, name: str, *, client: int = 1, guid: ObjectGuid | None = None
) -> dict[str, Place]:
    """Return the site as Halo has it, under this name."""
    number = HaloSiteId(100 + ord(site.key[8]))
    return {site.key: Place(site.key, HaloClientId(client), number, name, guid or site.guid)}


def test_a_site_gets_the_name_that_its_ou_has_by_now() -> None:
    """One line, with the name before and after and the reason; a site that is called right has none."""
    (line,), warnings = renames([LEEDS, LEEDS, YORK], there(LEEDS, "Bradford") | there(YORK, "York"))
    assert (line.kind, line.place, line.name) == (Kind.RENAME_SITE, LEEDS.key, "Leeds")
    assert line.fields == {"name": FieldChange("Bradford", "Leeds")}
    assert "its OU was renamed" in line.reason
    assert warnings == ()


def test_nothing_is_renamed_unasked_nor_what_only_bears_the_name() -> None:
    """Without the setting; a site without the OU's GUID, which somebody made by hand; one not made yet."""
    assert renames([replace(LEEDS, renamed=False)], there(LEEDS, "Bradford")) == ((), ())
    found = there(LEEDS, "Bradford", guid=ObjectGuid("other"))
    assert renames([LEEDS], found) == ((), ())
    assert renames([LEEDS], {}) == ((), ())


def test_a_name_that_another_place_has_is_left_alone_and_told() -> None:
    """Two sites of a client never get one name; in another client the same name is free."""
    taken = there(LEEDS, "Bradford") | there(YORK, "leeds")
    lines, (warning,) = renames([LEEDS], taken)
    assert lines == ()
    assert '"Bradford" keeps its name in Halo' in warning
    elsewhere = there(LEEDS, "Bradford") | there(YORK, "leeds", client=2)
    assert len(renames([LEEDS], elsewhere)[0]) == 1


def test_two_ous_may_swap_their_names() -> None:
    """Each name is free again, because the other gives it up in the same run."""
    lines, warnings = renames([LEEDS, YORK], there(LEEDS, "York") | there(YORK, "Leeds"))
    assert [(line.place, line.name) for line in lines] == [(LEEDS.key, "Leeds"), (YORK.key, "York")]
    assert warnings == ()


def test_a_client_is_renamed_as_a_client() -> None:
    """The OU at client_level; its site stays what it is."""
    client = WantedClient("client:ou:c", "North", guid=ObjectGuid("c"), renamed=True)
    place = Place(client.key, HaloClientId(7), None, "Nord", ObjectGuid("c"))
    (line,), _ = renames([replace(LEEDS, client=client)], {client.key: place} | there(LEEDS, "Leeds"))
    assert (line.kind, line.fields["name"]) == (Kind.RENAME_CLIENT, FieldChange("Nord", "North"))
