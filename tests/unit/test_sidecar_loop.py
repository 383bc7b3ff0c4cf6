"""The sidecar's process: its event loop, the turns of its threads, its priority."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import NoReturn

import anyio
import pytest
from structlog.testing import capture_logs

from sidecar.__main__ import TURN_S, loop_options, main, take_priority


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
    before, nice = sys.getswitchinterval(), os.getpriority(os.PRIO_PROCESS, 0)
    monkeypatch.setenv("IBKEEPER_SIDECAR__NICE", "nonsense")
    try:
        assert main() == 3, "refused before it does anything else to this process"
        assert os.getpriority(os.PRIO_PROCESS, 0) == nice
        assert sys.getswitchinterval() == pytest.approx(TURN_S)
    finally:
        sys.setswitchinterval(before)


def test_a_system_that_refuses_the_priority_is_told_about_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: int) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "setpriority", refuse)
    with capture_logs() as logged:
        take_priority(-10)
    assert [(entry["event"], entry["nice"]) for entry in logged] == [("priority_refused", -10)]
