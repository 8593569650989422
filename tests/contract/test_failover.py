"""Fail-over: a domain controller stops in the middle of a delta, and another one of its domain goes on.

The other has a database of its own and may know less. So whatever it takes over is read from the beginning,
and only a controller that was read has a cursor kept.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devstack.directory import Directory
from halo_adsync.state.runs import Run, Status
from tests.contract.sync_stage import HEADCOUNT, Stage, directory, dn, go, rules, stage
from tests.contract.test_delta import people
from tests.support.cutting import CuttingProxy
from tests.support.fuzzing import SOAK

__all__ = ["directory", "stage"]

FIRST = 0 if SOAK else 1200
"""How many bytes pass before the first of them; about as many belong to the TLS handshake."""
STEP = 101 if SOAK else 601
"""How many bytes lie between the places at which the first controller is cut off."""


@dataclass
class Pair:
    """A customer with two domain controllers, of which the first can be cut off."""

    stage: Stage
    first: Directory
    second: Directory
    proxy: CuttingProxy

    def modify(self, number: int, **changes: Any) -> None:
        """Change somebody on both controllers."""
        for controller in (self.first, self.second):
            controller.modify(dn(number), changes)

    def cut(self, after: int) -> None:
        """Let the first controller stop for good after so many bytes of a connection."""
        self.proxy.limit, self.proxy.for_good = after, True

    @property
    def followed(self) -> str:
        """The controller whose changes are followed."""
        (cursor,) = self.stage.state.known().cursors.values()
        return cursor.server

    def delta(self) -> Run:
        """Do a delta, which goes well."""
        run = go(self.stage, mode="delta")
        assert run.status is Status.OK, run.message
        return run

    def titles(self) -> dict[str, str]:
        """Return the titles that Halo has, by login."""
        return {
            user["login"].removeprefix("CORP\\"): user.get("title") or "" for user in self.stage.halo.people
        }


@pytest.fixture
def pair(stage: Stage, directory: Directory, tmp_path: Path) -> Iterator[Pair]:
    """Everybody is in Halo, and changes are followed on the first controller."""
    with (
        directory.replica() as other,
        closing(CuttingProxy((directory.host, directory.ldaps_port))) as proxy,
    ):
        authorities = tmp_path / "ca.pem"
        authorities.write_bytes(directory.ca_path.read_bytes() + other.ca_path.read_bytes())
        block = {
            "id": "corp",
            "servers": [f"localhost:{proxy.address[1]}", f"localhost:{other.ldaps_port}"],
            "ca_file": str(authorities),
            "bind": {"user": "svc-halo@corp.example", "password": {"secret": "ad"}},
        }
        rules(stage, policy="full", directories=[block], schedule={"delta": "*/15 * * * *"})
        directory.limits.changes = other.limits.changes = 2
        pair = Pair(stage, directory, other, proxy)
        assert (pair.delta().mode, pair.followed) == ("full", directory.hostname)
        yield pair


def test_two_controllers_of_one_domain(pair: Pair) -> None:
    """The replica holds the same people, under a name, a database and numbers of its own."""
    ours, theirs = (dict(each.replicated()) for each in (pair.first, pair.second))
    assert ours.keys() == theirs.keys()
    assert all(ours[name]["objectGUID"] == theirs[name]["objectGUID"] for name in ours)
    assert pair.first.hostname != pair.second.hostname
    database = [each.values(each.settings_dn, "invocationId") for each in (pair.first, pair.second)]
    assert database[0] != database[1]


def test_the_first_is_gone_before_a_delta(pair: Pair) -> None:
    """Everybody is read from the second, which is followed from then on, until the first is back."""
    pair.modify(1, title="Engineer")
    pair.cut(0)
    run = pair.delta()
    assert (run.mode, people(run)["update"], pair.followed) == ("full", 1, pair.second.hostname)
    assert f"because {pair.second.hostname} answered" in " ".join(run.warnings)
    pair.modify(2, title="Driver")
    run = pair.delta()
    assert (run.mode, people(run)) == ("delta", {"update": 1})
    pair.proxy.mend()
    pair.modify(3, title="Cook")
    run = pair.delta()
    assert (run.mode, people(run)["update"], pair.followed) == ("full", 1, pair.first.hostname)


@pytest.mark.parametrize("lags", [False, True])
@pytest.mark.parametrize("storage_table", ["memory"], indirect=True)
def test_the_first_stops_anywhere_in_a_delta(pair: Pair, lags: bool) -> None:
    """Before the changes, between two parts of them, before the read or within it: nothing is lost.

    Either the first got through with all of it, or the run is a full one on the second that says so. What the
    second does not know by then, it tells when it does.
    """
    outcomes: list[str] = []
    while outcomes[-2:] != ["delta", "delta"]:
        everybody = {f"p{number:02}": f"Title {len(outcomes)}" for number in range(1, 6)}
        change(everybody, pair.first, *(() if lags else (pair.second,)))
        pair.cut(FIRST + len(outcomes) * STEP)
        run = pair.delta()
        outcomes.append(run.mode)
        if run.mode == "delta":
            assert (pair.followed, run.warnings) == (pair.first.hostname, ())
        else:
            assert pair.followed == pair.second.hostname
            assert f"because {pair.second.hostname} answered" in " ".join(run.warnings)
        if lags:
            assert (everybody.items() <= pair.titles().items()) is (run.mode == "delta")
            change(everybody, pair.second)
            assert run.mode == "delta" or pair.delta().mode == "delta"
        assert everybody.items() <= pair.titles().items()
        pair.proxy.mend()
        pair.delta()
        assert pair.followed == pair.first.hostname
    assert len(outcomes) > 5
    pair.stage.halo.forget_requests()
    assert people(go(pair.stage))["unchanged"] == HEADCOUNT
    assert pair.stage.writes() == []


@pytest.mark.parametrize("storage_table", ["memory"], indirect=True)
def test_a_full_run_keeps_no_cursor_of_a_controller_that_was_not_read(pair: Pair) -> None:
    """The first told where its changes are followed from, and the second, which lags, was read."""
    seen_at_once: set[bool] = set()
    for number in range(6):
        title = {"p01": f"Title {number}"}
        change(title, pair.first)
        pair.cut(FIRST + number * 3 * STEP)
        assert go(pair.stage).status is Status.OK
        seen_at_once.add(title.items() <= pair.titles().items())
        pair.proxy.mend()
        pair.delta()
        assert title.items() <= pair.titles().items()
    assert seen_at_once == {True, False}


def change(titles: dict[str, str], *controllers: Directory) -> None:
    """Let people have these titles on some of the controllers."""
    for controller in controllers:
        for account, title in titles.items():
            controller.modify(dn(int(account[1:])), {"title": title})
