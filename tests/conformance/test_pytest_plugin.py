"""The fixture `ib_gateway` in somebody else's project, and its cost for those who do not use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ibcore.errors import PortTaken
from ibcore.sim.config import SimConfig
from ibcore.sim.threaded import ThreadedGateway

FOREIGN = """
import asyncio

import pytest
from ib_async import IB, Stock


def test_a_synchronous_client(ib_gateway):
    ib = IB()
    ib.connect("127.0.0.1", ib_gateway.port, clientId=1)
    [apple] = ib.qualifyContracts(Stock("AAPL", "SMART", "USD"))
    assert apple.conId == 265598
    assert {request.msg_id for request in ib_gateway.ledger.requests} >= {71, 9}
    ib.disconnect()


@pytest.mark.ib_gateway(lines=1, seed=3)
@pytest.mark.anyio
async def test_an_asynchronous_client_with_settings(ib_gateway, anyio_backend):
    assert (ib_gateway.config.lines, ib_gateway.config.seed) == (1, 3)
    # Not ib_async again: 2.0.1 keeps the first event loop it sees for the life of the process.
    reader, writer = await asyncio.open_connection("127.0.0.1", ib_gateway.port)
    writer.write(b"API\\0\\0\\0\\0\\x09v157..178")
    assert b"178" in await reader.readexactly(10)
    ib_gateway.fault("drop")
    with pytest.raises(ConnectionError):
        while await reader.read(100):
            pass
        raise ConnectionError("closed politely")


def test_two_gateways(ib_gateway, start_ib_gateway):
    other = start_ib_gateway(account="DU7654321")
    assert other.port != ib_gateway.port


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""

UNUSED = """
import sys

def test_nothing_of_the_simulator_is_imported():
    assert "ibcore.sim.pytest_plugin" in sys.modules
    assert not {"numpy", "scipy", "ibcore.sim.server"} & sys.modules.keys()
"""


ALONE = """
import socket
import sys


def test_a_bare_socket(ib_gateway):
    with socket.create_connection(("127.0.0.1", ib_gateway.port)) as client:
        client.sendall(b"API\\0\\0\\0\\0\\x09v157..178")
        assert b"178" in client.recv(100)
    others = {"prefect", "sqlalchemy", "psycopg", "fastapi", "alembic", "ib_async"}
    assert not others & sys.modules.keys()
"""


def run_pytest(folder: Path, source: str) -> str:
    (folder / "test_foreign.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
    )
    return done.stdout + done.stderr


def test_the_fixture_works_in_a_foreign_project(tmp_path: Path) -> None:
    said = run_pytest(tmp_path, FOREIGN)
    assert "3 passed" in said, said


def test_who_does_not_use_it_imports_nothing(tmp_path: Path) -> None:
    said = run_pytest(tmp_path, UNUSED)
    assert "1 passed" in said, said


def test_the_fixture_needs_nothing_of_the_rest_of_ibkeeper(tmp_path: Path) -> None:
    said = run_pytest(tmp_path, ALONE)
    assert "1 passed" in said, said


def test_the_ledger_that_is_handed_out_does_not_change(
    ib_gateway: ThreadedGateway,
) -> None:
    sessions = ib_gateway.ledger.sessions
    assert sessions == []
    assert sessions is not ib_gateway.ledger.sessions
    assert ib_gateway.ledger.stats()["ticks"] == 0


def test_a_port_that_is_taken_is_said_where_it_is_started(ib_gateway: ThreadedGateway) -> None:
    with pytest.raises(PortTaken):
        ThreadedGateway(SimConfig(port=ib_gateway.port)).start()


def test_a_gateway_that_is_stopped_says_so(ib_gateway: ThreadedGateway) -> None:
    ib_gateway.stop()
    ib_gateway.stop()
    with pytest.raises(RuntimeError, match="not running"):
        ib_gateway.fault("drop")
