"""Matching: which Halo user an account without a link is. Unique on both sides, or a person decides."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

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
    newcomers: Iterable[Newcomer],
    users: Iterable[HaloUser],
    ladder: Sequence[str],
    noun: str = "Halo user",
) -> dict[ObjectGuid, Match]:
    """Match every newcomer against Halo's users that no link covers.

    A rung answers for a newcomer when exactly one user has its value and no other unmatched newcomer does.
    Several on either side are a conflict; a value that no user has leads on to the next rung. A user that
    is stamped with another account's GUID is never adopted by a weaker rung: that is a conflict too. So is a
    user that a stronger rung has left in dispute. `noun` is what sentences call one of `users`.
    """
    open_newcomers = {newcomer.guid: newcomer for newcomer in newcomers}
    disputed: set[HaloUserId] = set()
    free = {user.id: user for user in users if not user.general}
    found: dict[ObjectGuid, Match] = {}
    for rung in ladder:
        candidates = _candidates(open_newcomers.values(), free.values(), rung)
        claims = Counter(user.id for meant in candidates.values() for user in meant)
        for guid, meant in candidates.items():
            judged = _judge(open_newcomers.pop(guid), rung, meant, claims, disputed)
            found[guid] = replace(judged, conflict=judged.conflict.replace("Halo user", noun))
        disputed |= {user.id for guid, meant in candidates.items() if found[guid].conflict for user in meant}
        for result in found.values():
            if result.user is not None:
                free.pop(result.user.id, None)
    return found


def _candidates(
    newcomers: Iterable[Newcomer], users: Iterable[HaloUser], rung: str
) -> dict[ObjectGuid, list[HaloUser]]:
    """Return who may be meant, for everybody for whom there is somebody."""
    holders: dict[str, list[HaloUser]] = defaultdict(list)
    for user in users:
        holders[_user_value(user, rung)].append(user)
    meant = {newcomer.guid: _meant(newcomer, rung, holders) for newcomer in newcomers}
    return {guid: found for guid, found in meant.items() if found}


def _meant(newcomer: Newcomer, rung: str, holders: Mapping[str, list[HaloUser]]) -> list[HaloUser]:
    """Return the holders of a newcomer's value. An e-mail address is no identity: it finds nobody's user."""
    value = _value(newcomer, rung)
    found = holders.get(value, []) if value else []
    if rung not in {"emailaddress", "email"}:
        return found
    return [user for user in found if user.guid in {None, newcomer.guid}]


def _judge(
    newcomer: Newcomer,
    rung: str,
    candidates: Sequence[HaloUser],
    claims: Mapping[HaloUserId, int],
    disputed: Container[HaloUserId],
) -> Match:
    ids = ", ".join(str(user.id) for user in sorted(candidates, key=lambda user: user.id))
    if len(candidates) > 1:
        return Match(
            conflict=f"{len(candidates)} Halo users have the same {rung} (ids {ids}): decide which one it is"
        )
    user = candidates[0]
    if claims[user.id] > 1:
        return Match(
            conflict=f"{claims[user.id]} accounts have the {rung} of Halo user {ids}: decide whose it is"
        )
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
