"""Long lists of values, and the members of groups."""

from halo_adsync.directory.connection import Session
from halo_adsync.directory.dn import shown
from halo_adsync.directory.entry import GROUP, RawEntry, groups_in_group_filter, guid_dn, range_from
from halo_adsync.errors import IncompleteRead


def with_all_values(session: Session, entry: RawEntry) -> RawEntry:
    """Return the entry with the values that the server held back (ranged retrieval).

    Active Directory gives at most 1,500 values at once (MaxValRange).

    Raises:
        IncompleteRead: the rest is not there any more.
        ServerFailedError: the server did not answer.
    """
    if not entry.continued:
        return entry
    attributes = dict(entry.attributes)
    for name, start in entry.continued.items():
        values = list(attributes[name])
        following: int | None = start
        while following is not None:
            part = session.find(guid_dn(entry.guid), (range_from(name, following),))
            if part is None or not part.attributes.get(name):
                raise IncompleteRead(
                    f"'{shown(entry.dn)}' changed while its {name} was read; the next run will read it anew."
                )
            values.extend(part.attributes[name])
            following = part.continued.get(name)
        attributes[name] = values
    return RawEntry(entry.dn, attributes, {})


def nested_groups(session: Session, group: RawEntry, domain: str) -> list[RawEntry]:
    """Return a group and all groups in it, each once, with all of its members.

    Groups that contain one another are no trouble. Primary groups (Domain Users) hold no list of members.

    Args:
        session: the connection.
        group: the group, read with the attributes `entry.GROUP`.
        domain: the DN below which nested groups are looked for.

    Raises:
        IncompleteRead: a group changed while it was read.
        ServerFailedError: the server did not answer.
    """
    found: list[RawEntry] = []
    seen = {group.guid}
    waiting = [group]
    while waiting:
        current = with_all_values(session, waiting.pop())
        found.append(current)
        for page in session.pages(domain, groups_in_group_filter(current.dn), GROUP):
            waiting.extend(nested for nested in page if nested.guid not in seen)
            seen.update(nested.guid for nested in page)
    return found
