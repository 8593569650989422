"""The directory fails: whatever did not answer in full is no directory, and nobody has left it."""

import socket
from collections.abc import Callable
from contextlib import ExitStack, closing

import pytest

from devstack.directory import Directory
from devstack.directory.connection import Faults
from halo_adsync.state.runs import Status
from tests.chaos.matrix import Matrix
from tests.chaos.world import CHANGES, FIRST, QUIET, Company, World
from tests.contract.storage import CONTOSO
from tests.contract.sync_stage import DOMAIN, PASSWORD, rules
from tests.support.cutting import CuttingProxy
from tests.support.fuzzing import SOAK

PART, DAYS = "Directory", (FIRST, CHANGES, QUIET)
type Break = Callable[[World, ExitStack], None]

SIZE_LIMIT, ADMIN_LIMIT, REFERRAL, BUSY, UNAVAILABLE = 4, 11, 10, 51, 52
"""Result codes of RFC 4511, 4.1.9."""
LOCKED = "775"


def serves(world: World, *servers: str, ca_path: str = "") -> None:
    """Let the customer's file name other servers, or trust another authority."""
    block = {
        "id": "corp",
        "servers": list(servers),
        "ca_file": ca_path or str(world.stage.directory.ca_path),
        "bind": {"user": "svc-halo@corp.example", "password": {"secret": "ad"}},
    }
    rules(world.stage, directories=[block])


def impostor(world: World, stack: ExitStack, *, trusted: bool = True, **options: object) -> None:
    """Put another server in the controller's place, with a certificate that may be wrong."""
    entries = [(DOMAIN, {"objectClass": ["top", "domain", "domainDNS"], "dc": "corp"})]
    other = stack.enter_context(Directory(entries, **options))  # type: ignore[arg-type]
    other.add_user("svc-halo", DOMAIN, sAMAccountName="svc-halo", userPassword=PASSWORD)
    ca_path = other.ca_path if trusted else world.stage.directory.ca_path
    serves(world, f"localhost:{other.ldaps_port}", ca_path=str(ca_path))


def faulty(**faults: object) -> Break:
    """Return what switches a fault of the controller on."""

    def strike(world: World, stack: ExitStack) -> None:
        directory = world.stage.directory
        stack.callback(setattr, directory, "faults", directory.faults)
        for name, value in faults.items():
            stack.callback(setattr, directory.faults, name, getattr(Faults(), name))
            setattr(directory.faults, name, value)

    return strike


def proxy(directory: Directory, stack: ExitStack, limit: int | None = None) -> CuttingProxy:
    """Stand before the controller."""
    return stack.enter_context(closing(CuttingProxy((directory.host, directory.ldaps_port), limit)))


def cut_off(share: float) -> Break:
    """Return what cuts the connection after so much of what the controller sends in a run."""

    def strike(world: World, stack: ExitStack) -> None:
        directory = world.stage.directory
        watching = proxy(directory, stack)
        serves(world, f"localhost:{watching.address[1]}")
        assert world.stage.run(dry_run=True).status is Status.PLANNED
        world.stage.wait(1)
        watching.close()
        cutting = proxy(directory, stack, int(share * watching.passed))
        serves(world, f"localhost:{cutting.address[1]}")

    return strike


def closed_port() -> int:
    """Return a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def refuses(world: World, _: ExitStack) -> None:
    """Let nobody listen."""
    serves(world, f"localhost:{closed_port()}")


def wrong_password(world: World, _: ExitStack) -> None:
    """Let the vault hold yesterday's password."""
    world.stage.environment["SECRET_AD"] = "Yesterday's!"


FAILURES: dict[str, list[Break]] = {
    "refuses connections": [refuses],
    "dies in the middle of a page": [faulty(die_after=entries) for entries in range(0, 14, 1 if SOAK else 4)],
    "is cut off": [cut_off(share / 100) for share in range(0, 86, 2 if SOAK else 17)],
    "hangs": [faulty(hang=True)],
    "answers garbage": [faulty(garbage=True)],
    "size limit": [faulty(result=SIZE_LIMIT)],
    "administrative limit": [faulty(result=ADMIN_LIMIT)],
    "referral": [faulty(result=REFERRAL)],
    "busy": [faulty(result=BUSY)],
    "unavailable": [faulty(result=UNAVAILABLE)],
    "another authority's certificate": [lambda world, stack: impostor(world, stack, trusted=False)],
    "another name's certificate": [
        lambda world, stack: impostor(world, stack, certificate_hosts=["elsewhere.example"])
    ],
    "an expired certificate": [lambda world, stack: impostor(world, stack, valid_days=-1)],
    "wrong password": [wrong_password],
    "account locked": [faulty(refuse_bind=LOCKED)],
    "another directory, empty": [impostor],
}


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("failure", FAILURES)
def test_the_directory_fails(company: Company, matrix: Matrix, day: str, failure: str) -> None:
    """The run ends as failed, nothing is written, and the next one does what there is to do."""
    with matrix.case(PART, failure, day) as outcomes:
        for strike in FAILURES[failure]:
            world = company.begin(day)
            file = world.stage.builder.store().customer(CONTOSO)
            with ExitStack() as stack:
                strike(world, stack)
                request = world.stage.request()
                outcome = world.attempt(request)
            outcomes[outcome] += 1
            assert outcome == "failed"
            world.stage.builder.store().put_customer(file)
            world.stage.environment["SECRET_AD"] = PASSWORD
            world.recover(request)


@pytest.mark.parametrize("day", DAYS)
def test_another_controller_answers_in_its_stead(company: Company, matrix: Matrix, day: str) -> None:
    """The first one refuses, or dies in the middle: the second one is read from the beginning."""
    with matrix.case(PART, "the first of two fails", day) as outcomes, ExitStack() as stack:
        directory = company.days[day].directory
        dying = proxy(directory, stack, 5000)
        for port in (closed_port(), dying.address[1]):
            world = company.begin(day)
            serves(world, f"localhost:{port}", f"localhost:{directory.ldaps_port}")
            outcome = world.attempt()
            outcomes[outcome] += 1
            assert outcome == "ok"
        assert dying.connections
