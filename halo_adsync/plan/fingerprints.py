"""Fingerprints: who is as they should be is told again without working out what that is. Pure.

A plan that finds nothing to change of a linked person keeps a fingerprint of all that this rested on: the
customer's file, what Halo can store, the account with what is known of it, and what Halo was last known to
hold. As long as nothing of it changes, the fingerprint is the same, and so is the answer. Losing fingerprints
costs time and nothing else.
"""

import hashlib
from dataclasses import dataclass, field

from halo_adsync import __version__
from halo_adsync.customer import Customer
from halo_adsync.model import Link
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.wishes import Subject

SIZE = 16
"""Bytes of a fingerprint: two of different people are never equal."""


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Those that earlier plans kept, and what all of this plan's rest on."""

    known: frozenset[bytes] = field(repr=False)
    ground: bytes

    def of(self, subject: Subject, link: Link) -> bytes:
        """Return the fingerprint of a person as they are, beside the link as it is."""
        rests_on = repr((subject.wishes.inputs(subject), str(link.fields)))
        digest = hashlib.blake2b(rests_on.encode("utf-8", "surrogatepass"), digest_size=SIZE, key=self.ground)
        return digest.digest()


def fingerprints(customer: Customer, target: Target, known: frozenset[bytes]) -> Fingerprints:
    """Return the fingerprints of a plan.

    Args:
        customer: whose file.
        target: what Halo can store.
        known: those that an earlier plan kept, whatever they rested on.
    """
    rests_on = repr((__version__, customer.settings_digest(), sorted(target.widths.items()), target.custom))
    ground = hashlib.blake2b(rests_on.encode("utf-8", "surrogatepass"), digest_size=SIZE)
    return Fingerprints(known, ground.digest())
