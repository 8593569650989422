"""Exceptions, named for what to do next.

    HaloAdSyncError                 every error raised on purpose; its text is a sentence for people
    ├── ConfigurationError          mend the file or the setting that it names, then try again (exit 2)
    │   ├── SecretMissing           put the named secret where the sentence says
    │   ├── NotFound                there is no such customer or run: correct the name
    │   ├── BadRequest              what was asked for is not clear or not possible: ask for something else
    │   └── NotApproved             the stored plan cannot be approved, or not any more: plan again
    ├── Unavailable                 nothing is wrong with the request; try later (exit 5)
    │   ├── IncompleteRead          the directory did not answer in full: nothing may be concluded from it
    │   ├── HaloUnavailable         Halo did not answer, or answered that it cannot now
    │   ├── EntraUnavailable        Entra or Microsoft Graph did not answer
    │   ├── BudgetSpent             Halo's request budget is used up until `until`
    │   └── StateUnavailable        Table Storage or the queue did not answer
    ├── Refused                     the other side said no; a person has to change something there (exit 5)
    │   ├── DirectoryRefused        bind, TLS or relay refused: account, password, certificate, token
    │   ├── HaloRefused             sign-in or permission refused
    │   ├── EntraRefused            the same, by Entra or Microsoft Graph
    │   └── RowUnreadable           a row of the app's table holds something else than it should
    ├── RecordRejected              Halo rejects this one record; the others go on
    ├── Doubtful                    a write may or may not have happened: look before writing again
    ├── NotSignedIn                 nobody knows who is calling over HTTP: sign in
    ├── NotAllowed                  who is calling lacks the role for it: have it assigned
    └── Busy                        another run of this customer holds the lease (exit 6)
        └── LeaseLost               this run's lease passed to another: write nothing more

No message carries a secret value or personal data beyond the identifier of the record that it speaks of.
"""

from collections.abc import Sequence
from datetime import datetime


class HaloAdSyncError(Exception):
    """The root of the tree above."""


class ConfigurationError(HaloAdSyncError):
    """The customer file or the app's settings are wrong; `problems` says where and what to do."""

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class SecretMissing(ConfigurationError):
    """A secret that a customer file names is not there."""


class NotFound(ConfigurationError):
    """There is no customer or run of that name."""


class BadRequest(ConfigurationError):
    """What was asked for is not clear, or not possible; `problems` says why, and what to ask for."""


class NotApproved(ConfigurationError):
    """A stored plan cannot be approved or rejected: it is another one, too old, superseded or settled."""


class Unavailable(HaloAdSyncError):
    """Something did not answer; nothing was concluded from that."""


class IncompleteRead(Unavailable):
    """The directory did not answer completely: no plan is made from what did arrive."""


class HaloUnavailable(Unavailable):
    """Halo could not be reached, or answered with a server error on a request without side effects."""


class BudgetSpent(Unavailable):
    """The request budget of a Halo instance is used up until `until` (UTC)."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__(
            f"Halo's request budget is used up until {until:%Y-%m-%d %H:%M:%S} UTC; the run goes on then."
        )


class EntraUnavailable(Unavailable):
    """Entra's sign-in or Microsoft Graph could not be reached, or answered with what cannot be understood."""


class StateUnavailable(Unavailable):
    """Table Storage or the queue could not be reached."""


class Refused(HaloAdSyncError):
    """The other side said no, and will say no again until a person changes something."""


class DirectoryRefused(Refused):
    """A domain controller refused the account or the encryption, or is another; or its relay refused us."""


class HaloRefused(Refused):
    """Halo refused the sign-in, or the API application may not do this."""


class EntraRefused(Refused):
    """Entra refused the sign-in, or Microsoft Graph the permission to list users."""


class RowUnreadable(Refused):
    """A row of the app's table cannot be read; the text names it."""


class RecordRejected(HaloAdSyncError):
    """Halo refused this one record; `HaloAdSyncError.args[0]` says why in Halo's words."""


class TooManyFailures(HaloAdSyncError):
    """So many of a run's changes failed that something is wrong with more than these."""


class Doubtful(HaloAdSyncError):
    """A write went out and no clear answer came back: it may have happened."""


class NotSignedIn(HaloAdSyncError):
    """Who is calling is not known."""


class NotAllowed(HaloAdSyncError):
    """Who is calling is known, and may not do this."""


class Busy(HaloAdSyncError):
    """Another run of this customer is going on: `holder`, where it is known."""

    def __init__(self, message: str, holder: str = "") -> None:
        self.holder = holder
        super().__init__(message)


class LeaseLost(Busy):
    """The lease has passed to another run: this one must not write any more."""
