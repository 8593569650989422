"""The blocks of a customer file that say on whose terms a sync runs: leavers, limits, schedule, audit."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from halo_adsync.customer_connections import Part, SecretRef
from halo_adsync.customer_onboarding import Id
from halo_adsync.customer_values import Count, Cron, Name, Percent, Quiet, Timezone


class Leavers(Part):
    """When somebody counts as gone, and what holds them."""

    missing_runs: Annotated[int, Field(ge=1, le=100)] = 3
    tickets: Literal["open", "any", "ignore"] = "open"
    keep: tuple[str, ...] = ()


class DeactivateLimit(Part):
    """How many deactivations one run may carry out; the first `always` are allowed in any case."""

    percent: Percent = 10
    count: Count = 100
    always: Count = 3


class Limits(Part):
    """What one run may change before a person is asked. 0 means none."""

    deactivate: DeactivateLimit = DeactivateLimit()
    site_percent: Percent = 50
    shrink_percent: Percent = 20
    create: Count = 200
    blocked: Literal["all", "deactivations"] = "all"


class Schedule(Part):
    """When runs start by themselves; a mode left out does not."""

    delta: Cron | None = None
    full: Cron | None = None
    reconcile: Cron | None = None
    timezone: Timezone = "UTC"
    quiet: tuple[Quiet, ...] = ()


class NotifyTicket(Part):
    """The ticket that is opened for runs that were blocked or failed; `user` is whose ticket it is."""

    user: Id
    type: Id | None = None
    team: Name | None = None
    agent: Id | None = None
    priority: Id | None = None


class Notify(Part):
    """Whom to tell."""

    webhook: SecretRef | None = None
    ticket: NotifyTicket | None = None
    on: tuple[Literal["blocked", "failed", "partial", "ok"], ...] = ("blocked", "failed", "partial")

    @model_validator(mode="after")
    def _somehow(self) -> Self:
        if self.webhook is None and self.ticket is None:
            raise ValueError("must have a webhook, a ticket, or both; leave the block out to tell nobody")
        return self


class Audit(Part):
    """How long it is kept what was done to whom."""

    days: Annotated[int, Field(ge=1, le=3650)] = 365
