"""The storage emulator: it starts on ports of its own, answers all three services and ends with its block."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueClient

from devstack import azurite
from devstack.azurite import Azurite, AzuriteMissingError, azurite_missing, expand_connection_string
from devstack.processes import Child, StartError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.azurite


@pytest.fixture(autouse=True)
def _installed() -> None:
    reason = azurite_missing()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def put_and_get(connection_string: str) -> str:
    """Sends one queue message and writes one table row; returns the message as it is read back."""
    with TableServiceClient.from_connection_string(connection_string) as tables:
        tables.create_table_if_not_exists("people").upsert_entity({"PartitionKey": "a", "RowKey": "b"})
    with QueueClient.from_connection_string(connection_string, "greetings") as queue:
        queue.create_queue()
        queue.send_message("good morning")
        return str(next(iter(queue.receive_messages())).content)


def test_tables_and_queues_answer() -> None:
    """The connection string serves the real SDKs, and two emulators run side by side."""
    with Azurite() as first, Azurite() as second:
        assert first.connection_string != second.connection_string
        assert put_and_get(first.connection_string) == "good morning"
        assert put_and_get(second.connection_string) == "good morning"


def test_ends_with_its_block() -> None:
    """The process is gone when the block is left, also when it is left by an error."""
    storage = Azurite()
    with pytest.raises(ZeroDivisionError), storage:
        raise ZeroDivisionError
    assert storage.pid
    with pytest.raises(ProcessLookupError):
        os.kill(storage.pid, 0)


def test_data_survive_in_a_location(tmp_path: Path) -> None:
    """With a folder, a second start finds what the first one stored."""
    with Azurite(location=tmp_path) as storage:
        put_and_get(storage.connection_string)
    with (
        Azurite(location=tmp_path) as storage,
        TableServiceClient.from_connection_string(storage.connection_string) as tables,
    ):
        assert [table.name for table in tables.list_tables()] == ["people"]


def test_a_missing_installation_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the program the error says which command installs it."""
    monkeypatch.setattr(azurite, "PROGRAM", tmp_path / "nowhere.js")
    with pytest.raises(AzuriteMissingError, match=r"run `\./dev setup`"):
        Azurite()


def test_development_storage_is_written_out() -> None:
    """The short form becomes the default ports; any other connection string stays as it is."""
    assert "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1" in expand_connection_string(
        "UseDevelopmentStorage=true;"
    )
    assert expand_connection_string("AccountName=a;AccountKey=b") == "AccountName=a;AccountKey=b"


def test_a_child_that_dies_tells_why(tmp_path: Path) -> None:
    """A program that ends before it is ready is an error that carries its last words."""
    child = Child([sys.executable, "-c", "print('no licence')"], log_path=tmp_path / "log")
    with pytest.raises(StartError, match="no licence"):
        child.wait_for(lambda: False, what="The program", seconds=20)


def test_a_child_that_is_deaf_is_killed(tmp_path: Path) -> None:
    """A program that ignores the polite signal is ended all the same."""
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    code = f"{ignore}; print('deaf', flush=True); signal.pause()"
    with Child([sys.executable, "-c", code], log_path=tmp_path / "log") as child:
        child.wait_for(lambda: "deaf" in child.log(), what="The program", seconds=20)
        assert child.stop(grace_seconds=0.1) == -9


def test_the_command_prints_where_it_listens() -> None:
    """`python -m devstack.azurite` prints its connection string and ends well when it is asked to."""
    command = [sys.executable, "-m", "devstack.azurite", "--port-base", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("DefaultEndpointsProtocol=http;")
        process.terminate()
        assert process.wait(20) == 0
