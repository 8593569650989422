"""Policy: what a staged roll-out lets through. What it holds back stays visible, as held."""

from dataclasses import replace

from halo_adsync.plan.types import WRITES, Change, Kind

ALLOWED: dict[str, frozenset[Kind]] = {
    "create_only": frozenset({Kind.CREATE}),
    "upsert_only": frozenset(WRITES) - {Kind.DEACTIVATE},
    "full": frozenset(WRITES),
}


def allow(change: Change, policy: str) -> Change:
    """Return the change, or a held one in its stead where the policy does not let it through."""
    if change.kind not in WRITES or change.kind in ALLOWED[policy]:
        return change
    reason = f"policy {policy} does not {change.kind.value}: {change.reason}"
    return replace(change, kind=Kind.HELD, reason=reason, place="", adopts=False)
