"""The live view says what is the case, in every size and state."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timezone

import pytest
from rich.console import Console

from ibcore.stack.child import ChildInfo
from ibcore.stack.reading import QuoteRow, Rates, Reading, SessionRow, SidecarRow
from ibcore.stack.view import Frame, duration, render, status_line

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=timezone.utc)
SIDECAR = SidecarRow(
    name="main",
    state="running",
    pid=4242,
    host="here",
    epoch=3,
    started_at=NOON,
    heartbeat_at=NOON,
    heartbeat_age_s=0.4,
    lines_used=34,
    lines_limit=100,
    ticks_total=100_000,
    rows_total=40_000,
    backlog_rows=0,
    dropped_rows=0,
    latency_p50_ms=14.2,
    latency_p99_ms=31.0,
)
STREAM = SessionRow("stream", "ready", NOON, 1, None, None, "127.0.0.1", 4002, 10)


def quote(symbol: str, right: str | None = None, strike: float = 0.0) -> QuoteRow:
    expiry = date(2026, 12, 18) if right else None
    kind = "OPT" if right else "STK"
    return QuoteRow(
        symbol, kind, expiry, strike, right, 227.5, 300, 227.52, 1200, 227.51, 0.3, 0.251, 0.52
    )


QUOTES = (*(quote(f"SYM{n}") for n in range(30)), *(quote("AAPL", "C", 220 + n) for n in range(30)))
PROCESSES = (
    ChildInfo("postgresql", "running", 100, 75.0, 64.0, 0),
    ChildInfo("gateway", "running", 101, 74.0, 88.0, 0),
    ChildInfo("sidecar", "running", 102, 12.0, 96.0, 2),
    ChildInfo("prefect", "starting", 103, 7.0, 210.0, 0),
    ChildInfo("worker", "waiting", None, 0.0, 0.0, 0),
)
LINKS = (
    ("flows", "http://127.0.0.1:4200"),
    ("SQL", "ibkeeper db shell"),
    ("logs", "/somewhere/.ibkeeper/logs"),
)
FULL = Frame(
    "simulated gateway",
    75.0,
    PROCESSES,
    Reading(SIDECAR, (STREAM,), QUOTES, {"active": 34, "failed": 1}, 0.2),
    Rates(1234.0, 456.0),
    links=LINKS,
    ready=True,
)


def screen(frame: Frame, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, record=True, force_terminal=True, file=None)
    with console.capture() as captured:
        console.print(render(frame, width, height), height=height)
    text = console_text(captured.get())
    return text.splitlines()


def console_text(styled: str) -> str:
    from rich.text import Text

    return Text.from_ansi(styled).plain


@pytest.mark.parametrize(("width", "height"), [(100, 30), (160, 45), (80, 24)])
def test_the_view_fills_the_terminal_and_never_overflows(width: int, height: int) -> None:
    lines = screen(FULL, width, height)
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)


def test_the_view_shows_processes_session_rates_latency_quotes_and_links() -> None:
    text = "\n".join(screen(FULL, 100, 30))
    for expected in (
        "ready",
        "postgresql",
        "running (2×)",
        "1,234 /s",
        "456 /s",
        "p50 14 ms",
        "p99 31 ms",
        "34 of 100",
        "34 active",
        "1 failed",
        "SYM0",
        "227.50",
        "1,200",
        "http://127.0.0.1:4200",
        "Ctrl-C stops everything",
    ):
        assert expected in text


def test_a_wide_terminal_shows_options_with_iv_and_delta_beside_the_stocks() -> None:
    text = "\n".join(screen(FULL, 160, 45))
    assert "AAPL 18Dec26 220 C" in text
    assert "25.1%" in text
    assert "0.52" in text


def test_a_wide_terminal_cuts_no_figure_and_no_name_short() -> None:
    wide = (*(quote(f"SYM{n}") for n in range(9)), *(quote("GOOGL", "P", 197.5) for _ in range(45)))
    frame = Frame("x", 1.0, reading=Reading(SIDECAR, (STREAM,), wide))
    assert "…" not in "\n".join(screen(frame, 160, 45))


def test_the_view_says_how_many_quotes_it_does_not_show() -> None:
    assert "more in v_quote_latest" in "\n".join(screen(FULL, 100, 30))


def test_before_anything_runs_the_view_says_what_is_being_done() -> None:
    frame = Frame("simulated gateway", 1.0, now_doing="starting PostgreSQL")
    text = "\n".join(screen(frame, 100, 30))
    assert "starting PostgreSQL" in text
    assert "not opened yet" in text


def test_a_session_that_waits_shows_its_reason() -> None:
    lost = SessionRow("stream", "waiting", NOON, 3, 4.0, "refused", None, None, None)
    frame = Frame("x", 1.0, reading=Reading(SIDECAR, (lost,)))
    assert "refused" in "\n".join(screen(frame, 100, 30))


def test_the_plain_line_holds_the_same_figures() -> None:
    line = status_line(FULL)
    for expected in ("1 min 15 s", "stream ready", "1,234 ticks/s", "p99 31 ms", "34/100 lines"):
        assert expected in line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (125, "2 min 05 s"), (12_000, "3 h 20 min")],
)
def test_durations_read_as_a_person_says_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_figures_of_a_sidecar_that_is_silent_are_not_shown_as_the_present() -> None:
    hung = replace(SIDECAR, heartbeat_age_s=17.4)
    frame = replace(FULL, reading=Reading(hung, (STREAM,), QUOTES))
    assert "silent for 17.4 s" in "\n".join(screen(frame, 100, 30))
    assert "sidecar silent for 17.4 s" in status_line(frame)
    assert "ticks/s" not in status_line(frame)
