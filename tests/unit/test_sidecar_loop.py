"""The sidecar's event loop, uvloop where there is one, and how its threads take turns."""

from __future__ import annotations

import asyncio
import sys

import anyio
import pytest

from sidecar.__main__ import TURN_S, loop_options, main


def loop_that_runs() -> str:
    async def ask() -> str:
        return type(asyncio.get_running_loop()).__module__

    return anyio.run(ask, backend_options=loop_options())


def test_uvloop_runs_where_it_is_installed() -> None:
    pytest.importorskip("uvloop")
    assert loop_that_runs() == "uvloop"


def test_without_uvloop_asyncio_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loop_that_runs().startswith("asyncio")


def test_a_thread_that_waits_for_the_database_soon_has_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = sys.getswitchinterval()
    monkeypatch.setenv("IBKEEPER_DATABASE_URL", "nonsense")
    try:
        assert main() == 3, "refused before it starts"
        assert sys.getswitchinterval() == pytest.approx(TURN_S)
    finally:
        sys.setswitchinterval(before)
