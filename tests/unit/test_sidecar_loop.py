"""The sidecar's event loop: uvloop where there is one, asyncio's own without a word elsewhere."""

from __future__ import annotations

import asyncio
import sys

import anyio
import pytest

from sidecar.__main__ import loop_options


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
