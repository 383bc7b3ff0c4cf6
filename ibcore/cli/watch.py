"""`ibkeeper watch`: what to stream. The sidecar answers within seconds with a state per line."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

import anyio
import typer

from ibcore import config, db
from ibcore.config import Settings
from ibcore.domain import ContractSpec
from ibcore.errors import IbkeeperError
from ibcore.stack import watchlist
from ibcore.stack.reading import take
from ibcore.stack.watchlist import Removal

app = typer.Typer(no_args_is_help=True)

_SYMBOL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,31}")
_EXPIRY: Final = re.compile(r"\d{6}(\d{2})?")
_GENERIC: Final = re.compile(r"\d+(,\d+)*")
_HEARTBEAT_OLD_S: Final = 5.0
_T = TypeVar("_T")

Symbol = Annotated[str, typer.Argument(help="AAPL, SPY, …; for rm also the number from ls.")]
SecType = Annotated[str, typer.Option(help="STK, OPT, FUT, IND, CASH, …")]
Exchange = Annotated[str, typer.Option(help="SMART routes; an index has its own, e.g. CBOE.")]
Currency = Annotated[str, typer.Option()]
Expiry = Annotated[str, typer.Option(help="YYYYMMDD or YYYYMM, of options and futures.")]
Strike = Annotated[float, typer.Option(help="Of an option.")]
Right = Annotated[str, typer.Option(help="C or P.")]


class NotAContract(IbkeeperError):
    """What was typed can be no contract."""

    exit_code = 2


@app.command("add")
def add(
    symbol: Symbol,
    *,
    sec_type: SecType = "STK",
    exchange: Exchange = "SMART",
    currency: Currency = "USD",
    primary_exchange: Annotated[str, typer.Option(help="Tells equal symbols apart.")] = "",
    expiry: Expiry = "",
    strike: Strike = 0.0,
    right: Right = "",
    multiplier: Annotated[str, typer.Option()] = "",
    trading_class: Annotated[str, typer.Option()] = "",
    con_id: Annotated[int, typer.Option(help="IB's contract id, if known.")] = 0,
    generic_ticks: Annotated[
        str | None, typer.Option(help="Numbers with commas; left out: all that suit the type.")
    ] = None,
    priority: Annotated[int, typer.Option(help="Lower goes first when lines run short.")] = 100,
) -> None:
    """Add an instrument to the watch list."""
    spec = ContractSpec(
        symbol.upper(), sec_type.upper(), exchange.upper(), currency.upper(),
        primary_exchange.upper(), expiry, strike, right.upper()[:1], multiplier,
        trading_class, con_id,
    )  # fmt: skip
    check(spec, generic_ticks)

    async def insert(conn: db.Connection, settings: Settings) -> str:
        name = settings.sidecar.name
        made = await watchlist.add(conn, name, spec, generic_ticks=generic_ticks, priority=priority)
        if made is None:
            return f"{spec} is on the watch list already."
        return f"{spec} is line {made} of the watch list.{await _hint(conn, name)}"

    typer.echo(_with_database(insert))


@app.command("rm")
def remove(
    symbol: Symbol,
    *,
    sec_type: SecType = "STK",
    expiry: Expiry = "",
    strike: Strike = 0.0,
    right: Right = "",
    everything: Annotated[bool, typer.Option("--all", help="Its options too.")] = False,
) -> None:
    """Remove an instrument from the watch list; what was recorded stays."""
    number = int(symbol) if symbol.isdigit() else None
    spec = ContractSpec(
        symbol, sec_type.upper(), expiry=expiry, strike=strike, right=right.upper()[:1]
    )

    async def delete(conn: db.Connection, settings: Settings) -> list[int]:
        removal = Removal(spec, number, everything)
        return await watchlist.remove(conn, settings.sidecar.name, removal)

    removed = _with_database(delete)
    if not removed:
        raise IbkeeperError(
            f"{symbol} is not on the watch list.",
            remedy="Nothing was changed. See: ibkeeper watch ls.",
        )
    typer.echo(f"Removed {len(removed)} from the watch list; what was recorded stays.")


@app.command("ls")
def ls(*, as_json: Annotated[bool, typer.Option("--json", help="One JSON list.")] = False) -> None:
    """List what is watched, with state and reason."""

    async def read(conn: db.Connection, settings: Settings) -> list[dict[str, Any]]:
        return await watchlist.entries(conn, settings.sidecar.name)

    entries = _with_database(read)
    if as_json:
        typer.echo(json.dumps(entries, indent=2, default=str))
        return
    if not entries:
        typer.echo("Nothing is watched. Add something: ibkeeper watch add SYMBOL.")
    for entry in entries:
        typer.echo(line(entry))


def line(entry: dict[str, Any]) -> str:
    """Return one row of the list."""
    spec = ContractSpec(
        entry["symbol"], entry["sec_type"], entry["exchange"], entry["currency"],
        expiry=entry["expiry"], strike=entry["strike"], right=entry["right"],
    )  # fmt: skip
    return f"{entry['id']:>5}  {spec!s:<36}  {entry['state']:<12} {entry['reason'] or ''}".rstrip()


def check(spec: ContractSpec, generic_ticks: str | None) -> None:
    """Refuse what can be no contract before a row is written."""
    wrong = ""
    if not _SYMBOL.fullmatch(spec.symbol):
        wrong = f"{spec.symbol!r} is no symbol"
    elif spec.expiry and not _EXPIRY.fullmatch(spec.expiry):
        wrong = f"--expiry {spec.expiry} is not YYYYMMDD or YYYYMM"
    elif spec.right not in {"", "C", "P"}:
        wrong = f"--right {spec.right} is neither C nor P"
    elif not 0 <= spec.strike < 1e9:
        wrong = f"--strike {spec.strike:g} is no price"
    elif spec.sec_type == "OPT" and not (spec.con_id or _is_complete(spec)):
        wrong = "an option needs --expiry, --strike and --right"
    elif generic_ticks and not _GENERIC.fullmatch(generic_ticks):
        wrong = f"--generic-ticks {generic_ticks} is not numbers with commas"
    if wrong:
        raise NotAContract(
            f"This cannot be watched: {wrong}.",
            remedy="Nothing was changed. See: ibkeeper watch add --help.",
        )


def _is_complete(option: ContractSpec) -> bool:
    return bool(option.expiry and option.strike and option.right)


async def _hint(conn: db.Connection, sidecar: str) -> str:
    heartbeat = (await take(conn, sidecar, quotes=0)).sidecar
    age = heartbeat.heartbeat_age_s if heartbeat else None
    if age is not None and age < _HEARTBEAT_OLD_S:
        return " See its state: ibkeeper watch ls."
    return " No sidecar is running; it will be streamed when one is."


def _with_database(work: Callable[[db.Connection, Settings], Awaitable[_T]]) -> _T:
    settings = config.load()

    async def run() -> _T:
        url = db.resolve_url(settings)
        async with await db.connect(url, application="watch") as conn:
            with db.translated():
                return await work(conn, settings)

    return anyio.run(run)
