"""Guard: the limits that a plan must not break without a person's consent.

A guard is a pure function that returns every violation it finds. `judge` asks them all, so that whoever
has to decide sees everything at once.
"""

from collections.abc import Callable, Iterable

from halo_adsync.customer import Customer
from halo_adsync.plan.types import Plan, Violation

type Guard = Callable[[Customer, Plan], Iterable[Violation]]

GUARDS: tuple[Guard, ...] = ()
"""The guards that every run is judged by."""


def judge(customer: Customer, plan: Plan, guards: Iterable[Guard] = GUARDS) -> tuple[Violation, ...]:
    """Return every violation of every guard, in the order of the guards."""
    return tuple(violation for guard in guards for violation in guard(customer, plan))
