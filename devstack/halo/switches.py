"""What differs between Halo's versions and installations, as switches that a test can turn."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal


@dataclass
class Switches:
    """The behaviour of one simulated Halo; every attribute may be changed while it runs.

    Attributes:
        self_hosted: `/api/authinfo` names the self-hosted token address and no tenant.
        token_seconds: lifetime of a bearer token, in seconds.
        scopes: the scopes that a client may ask for.
        rate_limit: requests per rolling window; 0 lifts the limit.
        rate_seconds: length of that window, in seconds.
        retry_after: whether a 429 of the rate limit carries a `Retry-After` header.
        lift_header: name and value of a request header that lifts the rate limit.
        max_page_size: the most records on one page (100 on current servers, 1000 on older ones).
        agent_list: the envelope of `/Agent`, which depends on Halo's version.
        team_list: the envelope of `/Team`, likewise.
        lean_lists: lists of users omit `third_party_guid`, `login` and `activedirectory_dn`.
        exact_search_fields: the `filter_name`s that `advanced_search` honours; it ignores all others.
        batch_failure: what a business rule broken by one element does to its array. `nothing`: nothing is
            stored, 400. `partial`: the elements before it are stored, 400. `elements`: all others are
            stored, 201, and an error object stands in the broken one's place.
        license_count: seats for enabled agents that are not API-only.
        login_agent: the id of the agent that the API application signs in as (`/Agent/me`); 0: none.
        warning: text that every written record's answer carries as `_warning`.
    """

    self_hosted: bool = False
    token_seconds: float = 3600
    scopes: frozenset[str] = frozenset({"all"})
    rate_limit: int = 300
    rate_seconds: float = 300
    retry_after: bool = False
    lift_header: tuple[str, str] | None = None
    max_page_size: int = 100
    agent_list: Literal["bare", "results", "agents"] = "bare"
    team_list: Literal["bare", "teams"] = "bare"
    lean_lists: bool = False
    exact_search_fields: frozenset[str] = field(
        default_factory=lambda: frozenset({"emailaddress", "login", "third_party_guid", "name"})
    )
    batch_failure: Literal["nothing", "partial", "elements"] = "nothing"
    license_count: int = 10
    login_agent: int = 0
    warning: str = ""

    def change(self, values: dict[str, Any]) -> None:
        """Set several switches by name.

        Raises:
            ValueError: a name is not that of a switch.
        """
        unknown = values.keys() - {switch.name for switch in fields(self)}
        if unknown:
            raise ValueError(f"There is no switch named {', '.join(sorted(unknown))}.")
        for name, value in values.items():
            setattr(self, name, _same_shape(getattr(self, name), value))

    def as_json(self) -> dict[str, Any]:
        """All switches with their values, in types that JSON knows."""
        values = {switch.name: getattr(self, switch.name) for switch in fields(self)}
        return {
            name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()
        }


def _same_shape(old: Any, new: Any) -> Any:
    """JSON has lists only: give a set or a pair its own type back."""
    if isinstance(new, list):
        return frozenset(new) if isinstance(old, frozenset) else tuple(new)
    return new
