"""Fingerprints: who is as they should be is told again without working out what that is. Pure.

A plan that finds nothing to change of a linked person keeps a fingerprint of all that this rested on: the
customer's file, what Halo can store, this program, the account with what is known of it, and what Halo was
last known to hold. As long as nothing of it changes, the fingerprint is the same, and so is the answer.
Losing fingerprints costs time and nothing else.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from halo_adsync.customer import Customer
from halo_adsync.model import Link
from halo_adsync.plan.mapping import Target
from halo_adsync.plan.types import FINGERPRINT_BYTES
from halo_adsync.plan.wishes import Subject


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Those that earlier plans kept, and what all of this plan's rest on."""

    known: frozenset[bytes] = field(repr=False)
    ground: bytes

    def of(self, subject: Subject, link: Link) -> bytes:
        """Return the fingerprint of a person as they are, beside the link as it is."""
        return _digest((subject.wishes.inputs(subject), str(link.fields)), self.ground)


def fingerprints(customer: Customer, target: Target, program: str, known: frozenset[bytes]) -> Fingerprints:
    """Return the fingerprints of a plan.

    Args:
        customer: whose file.
        target: what Halo can store.
        program: which program this is, to the letter.
        known: those that an earlier plan kept, whatever they rested on.
    """
    widths = sorted(target.widths.items())
    return Fingerprints(known, _digest((program, customer.settings_digest(), widths, target.custom)))


def _digest(rests_on: tuple[Any, ...], key: bytes = b"") -> bytes:
    text = repr(rests_on).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=FINGERPRINT_BYTES, key=key).digest()
