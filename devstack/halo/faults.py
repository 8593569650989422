"""Faults that a test switches on: what goes wrong, on which requests, and how often."""

import threading
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"  # answer `status` instead, nothing stored
    DELAY = "delay"  # answer after `seconds`
    DROP_BEFORE_COMMIT = "drop_before_commit"  # close the connection, nothing stored
    DROP_AFTER_COMMIT = "drop_after_commit"  # store, then close the connection without an answer
    FAIL_AFTER_COMMIT = "fail_after_commit"  # store, then answer `status`
    PARTIAL = "partial"  # store the first `elements`, then answer `status`
    MALFORMED = "malformed"  # the answer's JSON breaks off in the middle
    REORDERED = "reordered"  # a batch's answer comes in reverse order
    EMPTY_PAGE = "empty_page"  # a page of a list comes back empty
    WRONG_COUNT = "wrong_count"  # `record_count` is off by `difference`


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: what goes wrong.
        method: only requests with this method; empty for all.
        path: only this path and those below it, without regard to case; empty for all.
        page: only requests for this page; 0 for all.
        contains: only requests whose body contains this text; empty for all. A record that Halo always
            chokes on is a fault with `times=None`.
        after: the first matching requests that pass unharmed.
        times: how many matching requests are harmed after those; None for all.
        status: the answer of `status`, `fail_after_commit` and `partial`.
        retry_after: seconds in the header `Retry-After` of that answer; None for no header.
        seconds: how long `delay` waits.
        elements: how many elements `partial` stores.
        difference: what `wrong_count` adds to the true count.
    """

    kind: FaultKind
    method: str = ""
    path: str = ""
    page: int = 0
    contains: str = ""
    after: int = 0
    times: int | None = 1
    status: int = 500
    retry_after: int | None = None
    seconds: float = 0
    elements: int = 1
    difference: int = 1

    def matches(self, method: str, path: str, page: int, body: str) -> bool:
        """Whether a request is one that this fault is about."""
        own, asked = self.path.lower().rstrip("/"), path.lower()
        return (
            self.method.upper() in {"", method}
            and (not own or asked == own or asked.startswith(f"{own}/"))
            and self.page in {0, page}
            and self.contains in body
        )


class Faults:
    """The faults that are switched on, with a count of the requests that each has met; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._met: list[tuple[Fault, int]] = []

    def add(self, kind: FaultKind | str, **conditions: Any) -> Fault:
        """Switch a fault on; `conditions` are the attributes of `Fault`.

        Raises:
            ValueError: the kind or a condition is unknown.
        """
        unknown = conditions.keys() - {condition.name for condition in fields(Fault)}
        if unknown:
            raise ValueError(f"A fault has no condition named {', '.join(sorted(unknown))}.")
        fault = Fault(kind=FaultKind(kind), **conditions)
        with self._lock:
            self._met.append((fault, 0))
        return fault

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._met.clear()

    def strike(self, method: str, path: str, page: int, body: str) -> dict[FaultKind, Fault]:
        """The faults that harm this request, by kind; it counts as met for all faults that match it."""
        struck: dict[FaultKind, Fault] = {}
        with self._lock:
            for position, (fault, met) in enumerate(self._met):
                if not fault.matches(method, path, page, body):
                    continue
                self._met[position] = (fault, met + 1)
                if met >= fault.after and (fault.times is None or met < fault.after + fault.times):
                    struck[fault.kind] = fault
        return struck

    def as_json(self) -> list[dict[str, Any]]:
        """All faults with `met`, the number of requests that matched."""
        with self._lock:
            return [asdict(fault) | {"met": met} for fault, met in self._met]
