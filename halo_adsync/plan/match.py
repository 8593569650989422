"""Matching: which Halo user an account without a link is. Unique on both sides, or a person decides."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from halo_adsync.model import HaloUser, HaloUserId, ObjectGuid

STAMP = "third_party_guid"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An account without a link, with the values that the ladder may match it by."""

    guid: ObjectGuid
    keys: Mapping[str, str] = field(repr=False)
    """Values by rung (`login`, `emailaddress`), empty ones left out."""


@dataclass(frozen=True, slots=True)
class Match:
    """What the ladder found for one account: a user to adopt, a conflict, or (neither) nobody."""

    user: HaloUser | None = None
    rung: str = ""
    conflict: str = ""


def match(
    newcomers: Iterable[Newcomer], users: Iterable[HaloUser], ladder: Sequence[str]
) -> dict[ObjectGuid, Match]:
    """Match every newcomer against Halo's users that no link covers.

    A rung answers for a newcomer when exactly one user has its value and no other unmatched newcomer does.
    Several on either side are a conflict; a value that no user has leads on to the next rung. A user that
    is stamped with another account's GUID is never adopted by a weaker rung: that is a conflict too. So is a
    user that a stronger rung has left in dispute.
    """
    open_newcomers = {newcomer.guid: newcomer for newcomer in newcomers}
    disputed: set[HaloUserId] = set()
    free = {user.id: user for user in users if not user.general}
    found: dict[ObjectGuid, Match] = {}
    for rung in ladder:
        claims = Counter(_value(newcomer, rung) for newcomer in open_newcomers.values())
        holders = defaultdict(list)
        conflicting: set[HaloUserId] = set()
        for user in free.values():
            holders[_user_value(user, rung)].append(user)
        for newcomer in list(open_newcomers.values()):
            value = _value(newcomer, rung)
            candidates = _candidates(newcomer, rung, holders.get(value, []) if value else [])
            if not candidates:
                continue
            result = _judge(newcomer, rung, candidates, claims[value], disputed)
            found[newcomer.guid] = result
            if result.conflict:
                conflicting.update(user.id for user in candidates)
            del open_newcomers[newcomer.guid]
        disputed |= conflicting
        for result in found.values():
            if result.user is not None:
                free.pop(result.user.id, None)
    return found


def _candidates(newcomer: Newcomer, rung: str, holders: Sequence[HaloUser]) -> Sequence[HaloUser]:
    """Return who may be meant. An e-mail address is no identity: a stamped user is never found by it."""
    if rung != "emailaddress":
        return holders
    return [user for user in holders if user.guid in {None, newcomer.guid}]


def _judge(
    newcomer: Newcomer,
    rung: str,
    candidates: Sequence[HaloUser],
    claims: int,
    disputed: Container[HaloUserId],
) -> Match:
    ids = ", ".join(str(user.id) for user in sorted(candidates, key=lambda user: user.id))
    if len(candidates) > 1:
        return Match(
            conflict=f"{len(candidates)} Halo users have the same {rung} (ids {ids}): decide which one it is"
        )
    if claims > 1:
        return Match(conflict=f"{claims} accounts have the {rung} of Halo user {ids}: decide whose it is")
    user = candidates[0]
    if user.id in disputed:
        return Match(
            conflict=f"Halo user {user.id} has the same {rung}, but may be another account's: decide"
        )
    if user.guid is not None and user.guid != newcomer.guid:
        return Match(
            conflict=f"Halo user {user.id} has the same {rung} but belongs to another directory account"
        )
    return Match(user, rung)


def _value(newcomer: Newcomer, rung: str) -> str:
    return newcomer.guid if rung == STAMP else newcomer.keys.get(rung, "").casefold()


def _user_value(user: HaloUser, rung: str) -> str:
    return (user.guid or "") if rung == STAMP else user.fields.get(rung, "").strip().casefold()
