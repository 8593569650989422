"""The customers: their files, and the way to what is kept of each."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import lru_cache, partial
from itertools import batched

from halo_adsync.customer import Customer
from halo_adsync.customer_file import parse, plain
from halo_adsync.errors import NotFound
from halo_adsync.model import CustomerId
from halo_adsync.state import rows
from halo_adsync.state.agenda import Agenda
from halo_adsync.state.customer_state import CustomerState
from halo_adsync.state.lease import KEY as LEASE_KEY
from halo_adsync.state.lease import Lease
from halo_adsync.state.lines import ROOM
from halo_adsync.state.runs import new_run_id
from halo_adsync.state.table import Conflict, Operation, Row, Table

CUSTOMERS = "$customers"
"""The partition of the customer files. No customer's id begins with a dollar sign."""
_parse_again = lru_cache(maxsize=2000)(parse)
"""Checking a file takes milliseconds: a worker checks the same text once."""


class Store:
    """The customers of this app."""

    def __init__(self, table: Table, now: Callable[[], datetime]) -> None:
        self.table, self.now = table, now

    def customers(self) -> list[Customer]:
        """Return every customer, by id.

        Raises:
            ConfigurationError: a kept file is not valid any more, after an upgrade.
        """
        return [read() for read in self.each_customer()]

    def customer_ids(self) -> list[str]:
        """Return every customer's id, in order, without reading its file."""
        return [row.key for row in self.table.query(CUSTOMERS, "!", "~", select=["RowKey"])]

    def each_customer(self) -> Iterator[Callable[[], Customer]]:
        """Yield, for every customer, what reads its file: one that is not valid stops nobody else."""
        for row in self.table.query(CUSTOMERS, "!", "~"):
            yield partial(_parse_again, rows.unpack_text("data", row.values), source=row.key)

    def customer(self, customer: str) -> Customer:
        """Return one customer.

        Raises:
            NotFound: there is none of that id.
        """
        return parse(rows.unpack_text("data", self._customer_row(customer).values), source=customer)

    def _customer_row(self, customer: str) -> Row:
        row = self.table.get(CUSTOMERS, rows.encode_key(customer))
        if row is None:
            raise NotFound(
                f'There is no customer "{customer}". `halo-adsync customer list` shows those there are;'
                " `halo-adsync customer apply FILE` adds one."
            )
        return row

    def put_customer(self, customer: Customer) -> bool:
        """Keep a customer; return whether it is new or differs from what was kept."""
        text = rows.to_json(plain(customer))
        there = self.table.get(CUSTOMERS, customer.id)
        if there is not None and rows.unpack_text("data", there.values) == text:
            return False
        row = Row(CUSTOMERS, customer.id, rows.pack_text("data", text))
        self.table.transact(CUSTOMERS, [Operation("put", row)])
        return True

    def remove_customer(self, customer: str) -> int:
        """Delete a customer with its links, runs and plans, not in Halo; return how many rows went.

        Raises:
            NotFound: there is none of that id.
            Busy: a run of the customer is going on.
        """
        known = self._customer_row(customer)
        lease = Lease(self.table, customer, new_run_id(self.now()), self.now)
        found = self.table.query(customer, "!", "~", select=["RowKey"])
        keys = [row.key for row in found if row.key != LEASE_KEY]
        for some in batched(keys, ROOM, strict=False):
            lease.transact([Operation("delete", Row(customer, key, {})) for key in some])
        for last in (replace(known, etag=""), Row(customer, LEASE_KEY, {})):
            with suppress(Conflict):  # gone already: only the answer was lost
                self.table.transact(last.partition, [Operation("delete", last)])
        Agenda(self.table).forget(customer)
        return len(keys)

    def of(self, customer: CustomerId) -> CustomerState:
        """Return what is kept of one customer; nothing of any other can be reached through it."""
        return CustomerState(self.table, customer, self.now)
