"""The live view of `ibkeeper up`: a pure function from a frozen Frame to something Rich draws.

Nothing here reads a clock, a database or a process; a Frame holds all of it, so every state of
the screen is a unit test. 100 columns by 30 lines is enough, more space shows more quotes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ibcore.stack.child import ChildInfo
from ibcore.stack.reading import QuoteRow, Rates, Reading, SidecarRow

_TOP_LINES: Final = 10
_QUOTE_CHROME: Final = 3  # two borders and the column names
_TWO_TABLES_FROM: Final = 155
_STYLES: Final = {
    "running": "green",
    "ready": "green",
    "done": "green",
    "active": "green",
    "starting": "yellow",
    "connecting": "yellow",
    "waiting": "yellow",
    "pending": "yellow",
    "draining": "yellow",
    "stopping": "yellow",
    "ended": "red",
    "failed": "red",
    "over_budget": "red",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment of the whole stack."""

    title: str
    uptime_s: float
    processes: tuple[ChildInfo, ...] = ()
    reading: Reading | None = None
    rates: Rates | None = None
    now_doing: str = ""
    ready: bool = False
    links: tuple[tuple[str, str], ...] = ()


def render(frame: Frame, width: int, height: int) -> RenderableType:
    """Draw the frame for a terminal of this size."""
    foot_lines = len(frame.links) + 2
    quote_lines = max(height - 1 - _TOP_LINES - foot_lines - _QUOTE_CHROME, 1)
    screen = Layout()
    top = Layout(name="top", size=_TOP_LINES)
    top.split_row(
        Layout(_processes(frame), ratio=5),
        Layout(_feed(frame), ratio=4),
    )
    screen.split_column(
        Layout(_header(frame), size=1),
        top,
        Layout(_quotes(frame, quote_lines, two=width >= _TWO_TABLES_FROM)),
        Layout(_links(frame), size=foot_lines),
    )
    return screen


def choose(quotes: Sequence[QuoteRow], room: int) -> tuple[QuoteRow, ...]:
    """Return what fits, with options among it even where the stocks alone would fill the room."""
    options = [quote for quote in quotes if quote.right]
    others = [quote for quote in quotes if not quote.right]
    for_options = min(len(options), max(room * 2 // 5, room - len(others)))
    return (*others[: room - for_options], *options[:for_options])


def status_line(frame: Frame) -> str:
    """Say the same in one line, for a log or a pipe."""
    reading = frame.reading
    sidecar = reading.sidecar if reading else None
    if reading is None or sidecar is None:
        return f"{duration(frame.uptime_s)}  {frame.now_doing or 'no sidecar yet'}"
    if sidecar.is_silent:
        return f"{duration(frame.uptime_s)}  {_silence(sidecar)}"
    stream = reading.session("stream")
    parts = [
        duration(frame.uptime_s),
        f"stream {stream.state if stream else 'not opened'}",
        f"{_rate(frame.rates.ticks_per_s if frame.rates else None)} ticks/s",
        f"{_rate(frame.rates.rows_per_s if frame.rates else None)} rows/s",
        f"p50 {_ms(sidecar.latency_p50_ms)}",
        f"p99 {_ms(sidecar.latency_p99_ms)}",
        f"{sidecar.lines_used or 0}/{sidecar.lines_limit or '?'} lines",
        f"newest quote {_age(reading.newest_quote_age_s)} ago",
    ]
    return "  ".join(parts)


def _silence(sidecar: SidecarRow) -> str:
    return f"sidecar silent for {_age(sidecar.heartbeat_age_s)}: see sidecar.log in the logs folder"


def duration(seconds: float) -> str:
    """Write seconds the way a person says them: 7 s, 2 min 05 s, 3 h 20 min."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _header(frame: Frame) -> Text:
    state = ("ready", "bold green") if frame.ready else ("starting", "bold yellow")
    line = Text.assemble(("ibkeeper ", "bold"), state, f"  {duration(frame.uptime_s)}  ")
    line.append(frame.title, "dim")
    if frame.now_doing:
        line.append(f"  {frame.now_doing}", "yellow")
    line.no_wrap = True
    return line


def _processes(frame: Frame) -> Panel:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    for name in ("process", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("pid", "up", "memory"):
        table.add_column(name, justify="right", no_wrap=True)
    for child in frame.processes:
        again = f" ({child.restarts}×)" if child.restarts else ""
        table.add_row(
            child.name,
            Text(child.state + again, _STYLES.get(child.state, "")),
            str(child.pid or ""),
            duration(child.uptime_s) if child.pid else "",
            f"{child.memory_mb:.0f} MB" if child.pid else "",
        )
    return Panel(table, title="processes", title_align="left", border_style="dim")


def _feed(frame: Frame) -> Panel:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    for name, value in _feed_lines(frame):
        table.add_row(name, value)
    return Panel(table, title="feed", title_align="left", border_style="dim")


def _feed_lines(frame: Frame) -> Iterable[tuple[str, RenderableType]]:
    reading = frame.reading or Reading()
    if reading.sidecar is not None and reading.sidecar.is_silent:
        age = _age(reading.sidecar.heartbeat_age_s)
        yield "sidecar", Text(f"silent for {age}; below is the past", "bold red")
    for session in reading.sessions:
        since = f" since {session.since.astimezone():%H:%M:%S}"
        text = Text(session.state, _STYLES.get(session.state, ""))
        text.append(since if session.state == "ready" else f"{since} {session.reason or ''}", "dim")
        yield session.role, text
    if not reading.sessions:
        yield "stream", Text("not opened yet", "yellow")
    rates, sidecar = frame.rates, reading.sidecar
    yield "ticks", f"{_rate(rates.ticks_per_s if rates else None)} /s"
    yield "rows", f"{_rate(rates.rows_per_s if rates else None)} /s"
    p50, p99 = (sidecar.latency_p50_ms, sidecar.latency_p99_ms) if sidecar else (None, None)
    yield "latency", f"p50 {_ms(p50)}  p99 {_ms(p99)}"
    used, limit = (sidecar.lines_used, sidecar.lines_limit) if sidecar else (None, None)
    yield "lines", f"{used or 0} of {limit or '–'} used"
    yield "watch", _watch(reading)


def _watch(reading: Reading) -> Text:
    line = Text()
    for state, count in sorted(reading.watch.items()):
        line.append(f"{count} {state.replace('_', ' ')}  ", _STYLES.get(state, ""))
    return line or Text("nothing watched: ibkeeper watch add SYMBOL", "yellow")


def _quotes(frame: Frame, lines: int, *, two: bool) -> Panel:
    quotes = frame.reading.quotes if frame.reading else ()
    shown = choose(quotes, lines * 2 if two else lines)
    grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
    parts = [shown[:lines], shown[lines:]] if two and len(shown) > lines else [shown]
    for _ in parts:
        grid.add_column(ratio=1)
    grid.add_row(*(_quote_table(part) for part in parts))
    hidden = len(quotes) - len(shown)
    more = f" · {hidden} more in v_quote_latest" if hidden > 0 else ""
    return Panel(grid, title=f"newest quotes{more}", title_align="left", border_style="dim")


def _quote_table(quotes: Sequence[QuoteRow]) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("instrument", no_wrap=True)
    for name in ("bid", "size", "ask", "size", "last", "age", "IV", "delta"):
        table.add_column(name, justify="right", no_wrap=True)
    for quote in quotes:
        table.add_row(
            quote.label,
            _number(quote.bid, 2),
            Text(_number(quote.bid_size, 0), "dim"),
            _number(quote.ask, 2),
            Text(_number(quote.ask_size, 0), "dim"),
            _number(quote.last, 2),
            Text(_age(quote.age_s), _age_style(quote.age_s)),
            "" if quote.iv is None else f"{quote.iv:.1%}",
            _number(quote.delta, 2),
        )
    return table


def _links(frame: Frame) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    for name, value in frame.links:
        table.add_row(name, value)
    return Panel(table, title="Ctrl-C stops everything", title_align="left", border_style="dim")


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{max(seconds, 0.0):.1f} s" if seconds < 60 else duration(seconds)


def _age_style(seconds: float | None) -> str:
    if seconds is None or seconds > 60:
        return "red"
    return "yellow" if seconds > 10 else "green"
