"""Renames: mirrored clients and sites whose OUs are called otherwise by now."""

from collections import Counter
from collections.abc import Iterable, Mapping

from halo_adsync.model import Place
from halo_adsync.plan.types import Change, FieldChange, Kind
from halo_adsync.plan.wanted import WantedClient, WantedSite

NAME = "name"


def renames(
    wanted: Iterable[WantedSite], places: Mapping[str, Place]
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Return a line for every client and site to rename, and a sentence for each whose name is taken.

    Only what carries the OU's GUID is renamed, and never to a name that another place beside it has or gets.
    """
    found: dict[str, WantedClient | WantedSite] = {}
    for site in wanted:
        for one in (site.client, site):
            if one.renamed and _differs(one, places.get(one.key)):
                found.setdefault(one.key, one)
    names = Counter(_beside(place, place.name) for place in places.values() if place.key not in found)
    names.update(_beside(places[key], one.name) for key, one in found.items())
    lines: list[Change] = []
    warnings: list[str] = []
    for key, one in sorted(found.items()):
        place = places[key]
        if names[_beside(place, one.name)] > 1:
            warnings.append(
                f'"{place.name}" keeps its name in Halo: its OU is called "{one.name}", as another there is.'
            )
        else:
            lines.append(_line(one, place))
    return tuple(lines), tuple(warnings)


def _differs(one: WantedClient | WantedSite, place: Place | None) -> bool:
    return place is not None and place.guid is not None and place.guid == one.guid and place.name != one.name


def _beside(place: Place, name: str) -> tuple[int | None, str]:
    """Return what two places must not share: the name, among clients or among the sites of one client."""
    return (None if place.site is None else place.client), name.casefold()


def _line(one: WantedClient | WantedSite, place: Place) -> Change:
    return Change(
        kind=Kind.RENAME_CLIENT if place.site is None else Kind.RENAME_SITE,
        guid=one.guid or "",
        dn=one.dn,
        reason="its OU was renamed, and rename_sites is on",
        name=one.name,
        place=one.key,
        fields={NAME: FieldChange(place.name, one.name)},
    )
