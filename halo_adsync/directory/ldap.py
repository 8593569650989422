"""The LDAP adapter: a directory behind one or more domain controllers, read completely or not at all."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from halo_adsync.directory.config import DirectoryConfig, Endpoint
from halo_adsync.directory.connection import ServerFailedError, Session
from halo_adsync.directory.entry import canonical_dn, people_filter
from halo_adsync.directory.port import Changes, CountedContainer, Progress, ReadRequest, StaffRequest, Watch
from halo_adsync.directory.reader import Reader
from halo_adsync.errors import ConfigurationError, DirectoryRefused, IncompleteRead
from halo_adsync.model import Cursor, DirectoryRead, Meter, ObjectGuid

if TYPE_CHECKING:
    from halo_adsync.directory.tunnel import Tunnel

_log = logging.getLogger(__name__)


class LdapDirectory:
    """One directory of a customer, over LDAP; the connection is opened on first use.

    Args:
        config: the servers and the account.
        meter: counts searches (a paged one is one) and entries.
        resolve: the address and port to connect to instead of a server's own, by `host:port`; the certificate
            is checked against the server's name all the same.
        tunnel: the way to the servers, where they cannot be reached directly.

    Raises:
        ConfigurationError: the certificates to trust cannot be read.
    """

    def __init__(
        self,
        config: DirectoryConfig,
        meter: Meter,
        resolve: Mapping[str, tuple[str, int]] | None = None,
        tunnel: "Tunnel | None" = None,
    ) -> None:
        self._config = config
        self._meter = meter
        self._endpoints = config.endpoints(resolve or {})
        self._context = config.tls_context()
        self._tunnel = tunnel
        self._session: Session | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Unbind; safe to call twice."""
        if self._session is not None:
            self._session.close()
            self._session = None
        if self._tunnel is not None:
            self._tunnel.close()

    def read(self, request: ReadRequest, progress: Progress) -> DirectoryRead:
        """Read everybody that the request asks for.

        A pass that fails on one server starts again on the next, so the numbers given to `progress` may fall.

        Raises:
            ConfigurationError: the request's filter or one of its DNs is malformed; no server was asked.
            IncompleteRead: a server stopped answering, a named OU or group is not there, a page was missing.
            DirectoryRefused: no server accepted the account, or none proved to be who it should be.
        """
        _check(request)
        return self._complete(lambda reader: reader.read(request, progress))

    def changes(self, since: Cursor | None, watch: Watch) -> Changes:
        """Return what changed since a cursor; without one that is of use, where changes begin to be followed.

        Raises:
            IncompleteRead: as for `read`.
            DirectoryRefused: as for `read`.
        """
        return self._complete(lambda reader: reader.changes(since, watch))

    def tombstones(self, guids: Iterable[ObjectGuid]) -> frozenset[ObjectGuid]:
        """Return which of these accounts were deleted, as far as the account may see deleted objects.

        Raises:
            IncompleteRead: as for `read`.
            DirectoryRefused: as for `read`.
        """
        wanted = sorted(guids)
        return self._complete(lambda reader: reader.tombstones(wanted))

    def containers(self, progress: Progress) -> tuple[CountedContainer, ...]:
        """Return the whole OU tree, parents before children, with the people directly in each.

        Raises:
            IncompleteRead: as for `read`.
            DirectoryRefused: as for `read`.
        """
        return self._complete(lambda reader: reader.count(progress))

    def unreachable(self) -> tuple[str, ...]:
        """Sign in to every server, one after the other; return what is wrong with those that fail.

        Raises:
            DirectoryRefused: a server did not accept the account.
        """
        self.close()
        failures: list[ServerFailedError] = []
        for endpoint in self._endpoints:
            try:
                self._session = self._sign_in(endpoint)
            except ServerFailedError as failure:
                self._note(failure, failures)
            self.close()
        return tuple(map(str, failures))

    def _complete[Result](self, work: Callable[[Reader], Result]) -> Result:
        """Do all of the work on one server; if that fails, all of it on the next."""
        failures: list[ServerFailedError] = []
        for session in self._sessions(failures):
            try:
                return work(Reader(session, self._config))
            except ServerFailedError as failure:
                self._note(failure, failures)
                self.close()
        raise self._verdict(failures)

    def _sessions(self, failures: list[ServerFailedError]) -> Iterator[Session]:
        """Yield the open session, if there is one, then a new one with each server that can be reached."""
        if self._session is not None:
            yield self._session
        for endpoint in self._endpoints:
            try:
                self._session = self._sign_in(endpoint)
            except ServerFailedError as failure:
                self._note(failure, failures)
            else:
                yield self._session

    def _sign_in(self, endpoint: Endpoint) -> Session:
        """Sign in; where the account is refused and its password was rotated, once more with the new one."""
        try:
            return self._connect(endpoint)
        except DirectoryRefused:
            password = self._config.renewed(self._config.password)
            if password is None:
                raise
        self._config = replace(self._config, password=password)
        return self._connect(endpoint)

    def _connect(self, endpoint: Endpoint) -> Session:
        reached = self._tunnel.open(endpoint) if self._tunnel else endpoint
        return Session(reached, self._config, self._context, self._meter)

    def _note(self, failure: ServerFailedError, failures: list[ServerFailedError]) -> None:
        failure = self._tunnel.explain(failure) if self._tunnel else failure
        failures.append(failure)
        _log.warning("Directory '%s': %s", self._config.id, failure)

    def _verdict(self, failures: list[ServerFailedError]) -> DirectoryRefused | IncompleteRead:
        reasons = " ".join(dict.fromkeys(map(str, failures)))
        if any(failure.refused for failure in failures):
            return DirectoryRefused(f"Directory '{self._config.id}' could not be read. {reasons}")
        return IncompleteRead(
            f"Directory '{self._config.id}' did not answer completely, so nothing was concluded from it. "
            f"{reasons}"
        )


def _check(request: ReadRequest) -> None:
    people_filter(request.filter)
    problems = []
    staff = request.staff or StaffRequest()
    agents = (*staff.groups, *staff.ous, *staff.marks)
    for dn in (*request.include, *request.exclude, *request.anchors, *request.groups, *agents):
        try:
            canonical_dn(dn)
        except ValueError as error:
            problems.append(f"The customer file names an OU or a group wrongly: {error}")
    if problems:
        raise ConfigurationError(problems)
