"""Reading tapes: a day of minute bars (a folder of zip files), and which tape a path is.

Nothing here replays anything: tests read the tape through these functions and compare what
arrived with what they returned. `docs/simulator.md` gives the format. Minute bars say nothing
of the order inside the minute, so a day yields each bar's closing quote at the bar's end.
"""

from __future__ import annotations

import gc
import io
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from ibcore.errors import ConfigRefused
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import Contract, option, stock

BAR_MS: Final = 60_000
_SCALE: Final = 10_000  # prices are stored x 10000
_Member: TypeAlias = tuple[date, str, Contract, list[list[str]]]
_MEMBER: Final = re.compile(
    r"(?P<day>\d{8})_(?P<symbol>[a-z.]+)_minute_(?P<kind>quote|trade|openinterest)"
    r"(?:_american_(?P<right>call|put)_(?P<strike>\d+)_(?P<expiry>\d{8}))?\.csv"
)


class TapeQuote(NamedTuple):
    """The closing quote of one bar at its end; a side that had no quote is None."""

    end_ms: int  # since midnight in New York
    local_symbol: str
    con_id: int
    bid: float | None
    bid_size: float
    ask: float | None
    ask_size: float


class TapeTrade(NamedTuple):
    """The prints of one bar, known at its end."""

    end_ms: int
    local_symbol: str
    con_id: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Day(NamedTuple):
    """Everything a day's folder holds; quotes and trades are sorted by time."""

    day: date
    contracts: list[Contract]
    quotes: list[TapeQuote]
    trades: list[TapeTrade]
    open_interest: dict[int, float]  # by contract id


def is_day(path: Path) -> bool:
    """Say whether the tape is a day of bars, or refuse what is no tape at all."""
    if path.is_dir() and any(path.glob("*quote*.zip")):
        return True
    if path.is_file() and path.suffix == ".json":
        return False
    raise ConfigRefused(
        f"{path} is not a tape." if path.exists() else f"There is no tape at {path}: not a tape.",
        remedy="Nothing was started. Give recorded ticks (.json), a table (.csv, .parquet), a"
        " folder of quote zips, or postgresql://…?day=YYYY-MM-DD.",
    )


def read_day(path: Path, *, only: Collection[str] | None = None) -> Day:
    """Read a day's folder: the underlying, its options, their quotes, prints, open interest."""
    day: date | None = None
    contracts: dict[int, Contract] = {}
    quotes: list[TapeQuote] = []
    trades: list[TapeTrade] = []
    interest: dict[int, float] = {}
    with _collector_off():
        for found_day, kind, contract, rows in _members(path, only):
            day = found_day
            with _whole(contract):
                if kind == "quote":
                    contracts[contract.con_id] = contract
                    quotes.extend(_quotes(contract, rows))
                elif kind == "trade":
                    trades.extend(_trades(contract, rows))
                else:
                    interest.update((contract.con_id, float(row[1])) for row in rows)
    if day is None or not (quotes or trades):
        raise ConfigRefused(f"{path} holds no bars.", remedy="Nothing was started.")
    quotes.sort(key=itemgetter(0))
    trades.sort(key=itemgetter(0))
    return Day(day, list(contracts.values()), quotes, trades, interest)


def expected_quotes(
    path: Path | str, *, start: str = "09:30", symbols: Iterable[str] | None = None
) -> Iterator[TapeQuote]:
    """Yield the closing quotes after `start`, in order; only of these local symbols if given."""
    wanted = None if symbols is None else frozenset(symbols)
    for quote in read_day(Path(path), only=wanted).quotes:
        if quote.end_ms > start_ms(start):
            yield quote


def start_ms(text: str) -> int:
    """Convert HH:MM to milliseconds since midnight."""
    hours, minutes = text.split(":")
    return (int(hours) * 60 + int(minutes)) * BAR_MS


def contracts(path: Path) -> list[Contract]:
    """List the contracts of a day's folder by the names of its quote files alone."""
    listed: dict[int, Contract] = {}
    for file in sorted(path.glob("*quote*.zip")):
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                contract = _contract(_matched(file, name))
                listed[contract.con_id] = contract
    return list(listed.values())


def opening_spot(path: Path, *, start: str = "09:30") -> float:
    """Return the underlying's mid at the first bar that ends after `start`."""
    for file in sorted(path.glob("underlying_quote*.zip")):
        with zipfile.ZipFile(file) as archive:
            lines = archive.read(archive.namelist()[0]).decode("ascii").splitlines()
        for line in lines:
            row = line.split(",")
            if int(row[0]) >= start_ms(start) and row[4] and row[9]:
                return (int(row[4]) + int(row[9])) / 2 / _SCALE
    raise ConfigRefused(f"{path} has no quotes of the underlying.", remedy="Nothing was started.")


def _matched(file: Path, name: str) -> re.Match[str]:
    match = _MEMBER.fullmatch(name)
    if match is None:
        raise ConfigRefused(
            f"{file}: {name!r} is not named as a bar file is.", remedy="Nothing was started."
        )
    return match


@contextmanager
def _collector_off() -> Iterator[None]:
    """Halve the time of reading a day: its 275,000 quotes hold no cycles to search for."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _members(path: Path, only: Collection[str] | None) -> Iterator[_Member]:
    for file in sorted(path.glob("*.zip")):
        try:
            yield from _in_archive(file, only)
        except (zipfile.BadZipFile, OSError, UnicodeDecodeError) as unread:
            raise ConfigRefused(
                f"{file.name} cannot be read: {unread}.", remedy="Nothing was started."
            ) from None


def _in_archive(file: Path, only: Collection[str] | None) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            match = _matched(file, name)
            contract = _contract(match)
            if only is not None and contract.local_symbol not in only:
                continue
            with io.TextIOWrapper(archive.open(name), "ascii") as text:
                rows = [line.rstrip("\n").split(",") for line in text if line.strip()]
            yield _day(match["day"]), match["kind"], contract, rows


@contextmanager
def _whole(contract: Contract) -> Iterator[None]:
    """Name the contract whose rows cannot be read."""
    try:
        yield
    except (IndexError, ValueError):
        raise ConfigRefused(
            f"A bar of {contract.local_symbol.strip()} cannot be read.",
            remedy="Nothing was started. docs/simulator.md names the layout of a day of bars.",
        ) from None


def _day(text: str) -> date:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        raise ConfigRefused(
            f"{text} in the name of a bar file is no date.", remedy="Nothing was started."
        ) from None


def _contract(match: re.Match[str]) -> Contract:
    name = CATALOGUE.get(match["symbol"].upper())
    if name is None:
        raise ConfigRefused(
            f"The tape is of {match['symbol'].upper()}, which the simulator does not know.",
            remedy="Nothing was started. A table (.csv, .parquet) may hold any symbol.",
        )
    if not match["right"]:
        return stock(name)
    right = "C" if match["right"] == "call" else "P"
    return option(name, _day(match["expiry"]), int(match["strike"]) / _SCALE, right=right)


def _price(text: str) -> float | None:
    return int(text) / _SCALE if text and text != "0" else None


def _quotes(contract: Contract, rows: list[list[str]]) -> Iterator[TapeQuote]:
    for row in rows:
        bid, ask = _price(row[4]), _price(row[9])
        yield TapeQuote(
            int(row[0]) + BAR_MS,
            contract.local_symbol,
            contract.con_id,
            bid,
            float(row[5] or 0) if bid else 0.0,
            ask,
            float(row[10] or 0) if ask else 0.0,
        )


def _trades(contract: Contract, rows: list[list[str]]) -> Iterator[TapeTrade]:
    for row in rows:
        prices = [int(text) / _SCALE for text in row[1:5]]
        yield TapeTrade(
            int(row[0]) + BAR_MS,
            contract.local_symbol,
            contract.con_id,
            prices[0],
            prices[1],
            prices[2],
            prices[3],
            float(row[5]),
        )
