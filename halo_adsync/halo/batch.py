"""Writing users in batches, so that each ends up in Halo once, whatever goes wrong on the way.

Halo knows no idempotence: an element without an id is a new user each time it is sent. So a create is sent
again only after a look-up has shown that it is not there. A batch that is refused, or that no clear answer
came back for, is looked up, and what is left is cut in two and sent again, down to the single user whose
trouble it is. That costs two requests and a look-up a halving: O(log n) for each bad element.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from halo_adsync.errors import Doubtful, HaloUnavailable, RecordRejected
from halo_adsync.halo.codec import echoes, encode_user, record_guid, record_id
from halo_adsync.halo.port import UserOutcome, UserWrite
from halo_adsync.halo.statuses import complaint, redact, warning
from halo_adsync.model import HaloUserId, ObjectGuid

TRIES = 2
"""How often a single user is sent when no clear answer comes back."""
SETTLE_SECONDS = 5.0
"""How long a request whose answer got lost is given to take effect, before the look-up."""
FAILURES = 3
"""So many users in a row without a clear answer mean that Halo, not a user, is in trouble."""
_UNCLEAR = "Halo gave no clear answer to this user, twice; it is tried again later."
_TWICE = "Halo has this user more than once; the oldest is kept in step, merge the others in Halo."

type Element = Mapping[str, Any]
type Post = Callable[[Sequence[Element], frozenset[str]], Any]
"""Posts elements, strikes values out of errors, and returns the parsed answer; raises as `HaloApi.post`."""
type LookUp = Callable[[Sequence[UserWrite]], Mapping[ObjectGuid, Sequence[HaloUserId]]]
"""Returns every user that Halo holds for each of these creates, by GUID; raises as `HaloApi.get`."""


@dataclass(frozen=True, slots=True)
class Tied:
    """What an answer says: `settled` outcomes, and the writes that it does not clearly speak of."""

    settled: tuple[UserOutcome, ...]
    untied: tuple[UserWrite, ...]


class BatchWriter:
    """Writes batches; remembers across them how often in a row Halo gave no clear answer."""

    def __init__(
        self,
        post: Post,
        look_up: LookUp,
        pause: Callable[[float], None],
        encode: Callable[[UserWrite], Element] = encode_user,
    ) -> None:
        """Write through `post`, find through `look_up`, and wait for so many seconds through `pause`.

        `encode` puts a write into Halo's words: that of a user, unless agents are written.
        """
        self._encode = encode
        self._post = post
        self._look_up = look_up
        self._pause = pause
        self._failures = 0
        self._outcomes: dict[ObjectGuid, UserOutcome] = {}

    def write(self, writes: Sequence[UserWrite], *, resumed: bool) -> list[UserOutcome]:
        """Write one batch; the contract is that of `Halo.write_users`.

        Raises:
            ValueError: two of the writes speak of the same account.
        """
        if len({write.guid for write in writes}) != len(writes):
            raise ValueError("Two writes of one batch speak of the same directory account.")
        self._outcomes = {}
        todo = [write for write in writes if self._fits(write)]
        self._settle(self._absent(todo) if resumed else todo)
        return [self._outcomes[write.guid] for write in writes]

    def _fits(self, write: UserWrite) -> bool:
        """Tell whether a write can be put into Halo's words; its outcome is settled when it cannot."""
        try:
            self._encode(write)
        except RecordRejected as error:
            self._note(UserOutcome(write.guid, error=str(error)))
            return False
        return True

    def _settle(self, writes: Sequence[UserWrite]) -> None:
        if len(writes) == 1:
            self._settle_one(writes[0])
        elif writes:
            try:
                left: Sequence[UserWrite] = self._send(writes)
            except RecordRejected:
                left = writes
            except Doubtful:
                self._pause(SETTLE_SECONDS)
                left = writes
            # Refused or in doubt: some may be stored all the same.
            left = self._absent(left)
            half = (len(left) + 1) // 2
            self._settle(left[:half])
            self._settle(left[half:])

    def _settle_one(self, write: UserWrite) -> None:
        for _ in range(TRIES):
            try:
                if not self._send([write]):
                    return
            except RecordRejected as error:
                self._failures = 0
                if self._absent([write], str(error)):
                    self._note(UserOutcome(write.guid, error=str(error)))
                return
            except Doubtful:
                self._pause(SETTLE_SECONDS)
            if not self._absent([write]):
                return
        self._failures += 1
        if self._failures >= FAILURES:
            raise HaloUnavailable(
                f"Halo gave no clear answer to {self._failures} users in a row; the run goes on later."
            )
        self._note(UserOutcome(write.guid, error=_UNCLEAR))

    def _send(self, writes: Sequence[UserWrite]) -> Sequence[UserWrite]:
        """Send and note what is clear; return the rest.

        Raises:
            RecordRejected, Doubtful: nothing is clear.
        """
        hide = frozenset(text for write in writes for name, text in write.fields.items() if ":" not in name)
        elements = [self._encode(write) for write in writes]
        tied = tie(writes, elements, self._post(elements, hide), hide)
        for outcome in tied.settled:
            self._note(outcome)
        return tied.untied

    def _absent(self, writes: Sequence[UserWrite], refusal: str | None = None) -> Sequence[UserWrite]:
        """Look the creates up, note those that Halo has, and return what is still to be done.

        Args:
            writes: what was sent.
            refusal: what Halo said when it stored them all the same.
        """
        creates = [write for write in writes if write.user is None]
        found = self._look_up(creates) if creates else {}
        left = []
        for write in writes:
            users = sorted(found.get(write.guid, ())) if write.user is None else []
            if users:
                self._note(UserOutcome(write.guid, users[0], warning=_TWICE if users[1:] else refusal))
            else:
                left.append(write)
        return left

    def _note(self, outcome: UserOutcome) -> None:
        self._outcomes[outcome.guid] = outcome
        if outcome.user is not None:
            self._failures = 0


def tie(writes: Sequence[UserWrite], elements: Sequence[Element], answer: Any, hide: frozenset[str]) -> Tied:
    """Tie the records of a successful answer to the writes that they answer.

    Updates are tied by id, creates by GUID. Where no record carries a GUID, and there are as many records as
    writes, creates are tied by position, unless a record names another person there.

    Args:
        writes: what was sent.
        elements: the same, as it was sent.
        answer: an array, or the bare record that Halo answers a single element with.
        hide: values that must not stand in an outcome.

    Raises:
        RecordRejected: a single write was answered with a complaint in place of a record.
    """
    records = answer if isinstance(answer, list) else [answer]
    users = [_Answered(number, record) for record in records if (number := record_id(record)) is not None]
    by_id = {user.id: user for user in users}
    by_guid = {guid: user for user in users if (guid := record_guid(user.record)) is not None}
    in_order = not by_guid and len(by_id) == len(records) == len(writes) and _in_order(writes, users)
    settled, untied = [], []
    for position, (write, sent) in enumerate(zip(writes, elements, strict=True)):
        if write.user is not None:
            user = by_id.get(write.user)
        elif in_order and echoes(sent, users[position].record):
            user = users[position]
        else:
            user = by_guid.get(write.guid)
        if user is None:
            untied.append(write)
        else:
            said = redact(warning(user.record), hide) or None
            settled.append(UserOutcome(write.guid, HaloUserId(user.id), warning=said))
    if len(writes) == len(records) == 1 and not users and (said := redact(complaint(records[0]), hide)):
        raise RecordRejected(said)
    return Tied(tuple(settled), tuple(untied))


class _Answered(NamedTuple):
    id: int
    record: Element


def _in_order(writes: Sequence[UserWrite], users: Sequence[_Answered]) -> bool:
    """Tell whether the updates of a batch, which are known by id, stand where they were sent."""
    return all(write.user is None or write.user == user.id for write, user in zip(writes, users, strict=True))
