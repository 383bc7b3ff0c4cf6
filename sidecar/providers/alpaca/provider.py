"""The backup: every wanted line that Alpaca can have is subscribed, and stands ready.

Stocks and options are streams of their own; greeks are polled. The underlying of a wanted option
is subscribed too, quotes only: its price is what our own greeks stand on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import anyio
from ib_async import Contract

from ibcore.clock import utcnow
from ibcore.config import AlpacaSettings
from ibcore.domain import ContractSpec, Provider, Quality
from ibcore.errors import ConfigRefused, SymbolUnmapped
from ibcore.log import get_logger, hide
from ibcore.symbols import Osi, alpaca_stock, alpaca_symbol, parse_osi
from sidecar.feed import RowSink
from sidecar.lines import Wanted
from sidecar.providers.alpaca import greeks
from sidecar.providers.alpaca.door import PATIENT, Keys, Pace
from sidecar.providers.alpaca.feed import Seat, VendorFeed
from sidecar.providers.alpaca.greeks import Question, Reading
from sidecar.providers.alpaca.snapshots import Snapshot, Snapshots
from sidecar.providers.alpaca.stream import VendorStream
from sidecar.providers.alpaca.subscription import Topic
from sidecar.providers.backup import Task

log = get_logger(__name__)

QUALITY: Final[Mapping[str, Quality]] = {
    "sip": Quality.live,
    "iex": Quality.indicative,  # live, and one exchange of sixteen
    "delayed_sip": Quality.delayed,
    "opra": Quality.live,
    "indicative": Quality.indicative,
}

# Underlyings of US options that are no stocks: their quotes would be those of nobody, or another.
INDICES: Final = frozenset(
    {"SPX", "XSP", "NDX", "XND", "RUT", "MRUT", "VIX", "DJX", "OEX", "XEO", "NANOS", "CBTX", "MBTX"}
)


class Alpaca:
    """Alpaca as a backup provider (implements `Backup`)."""

    def __init__(
        self,
        recorder: RowSink,
        settings: AlpacaSettings,
        *,
        epoch: int,
        pace: Pace = PATIENT,
    ) -> None:
        keys = _keys(settings)
        self.feed = VendorFeed(recorder, epoch=epoch, provider=Provider.alpaca)
        self.stocks = self._stream(settings, keys, pace, options=False)
        self.options = self._stream(settings, keys, pace, options=True)
        self.snapshots = Snapshots(
            settings.data_url,
            keys=keys,
            feed=settings.option_feed,
            every_s=settings.greeks_s,
            denied_s=pace.denied_s,
            symbols=lambda: list(self._listed),
            take=self._take_snapshots,
        )
        self._qualities = (QUALITY[settings.stock_feed].value, QUALITY[settings.option_feed].value)
        self._seen: tuple[object, ...] = ()
        self._refused: set[tuple[int, str]] = set()
        self._listed: dict[str, tuple[Osi, str | None]] = {}  # and the underlying's symbol

    @property
    def provider(self) -> Provider:
        """Return who it is."""
        return Provider.alpaca

    @property
    def is_ready(self) -> bool:
        """Say whether its streams are up; one that was denied does not hold up the other."""
        needed = [self.stocks, self.options] if self._listed else [self.stocks]
        ups = [stream.is_up for stream in needed if not stream.is_denied]
        return bool(ups) and all(ups)

    def workers(self) -> dict[str, Task]:
        """Return its tasks."""
        return {
            "alpaca stocks": self.stocks.run,
            "alpaca options": self.options.run,
            "alpaca greeks": self.snapshots.run,
        }

    def want(self, lines: Sequence[Wanted]) -> None:
        """Take every line that should stand ready; those that cannot are noted once."""
        seen = tuple((one.watch_id, one.line, one.contract.conId, one.priority) for one in lines)
        if seen == self._seen:
            return
        self._seen = seen
        seats: dict[str, Seat] = {}
        listed: dict[str, tuple[Osi, str | None]] = {}
        for wanted in sorted(lines, key=lambda one: (one.priority, one.watch_id)):
            symbol = self._symbol(wanted)
            if symbol is None or symbol in seats:
                continue
            is_option = wanted.contract.secType == "OPT"
            seats[symbol] = Seat(wanted.line, self._qualities[is_option])
            if is_option:
                listed[symbol] = parse_osi(symbol), _underlying(wanted.contract)
        self._hold(seats, listed)

    def events(self, instrument_id: int) -> int:
        """Return how many messages were heard of an instrument."""
        return self.feed.events(instrument_id)

    def has(self, instrument_id: int) -> bool:
        """Say whether an instrument is, or will be, subscribed: known there, within the limit."""
        symbol = self.feed.symbol_of(instrument_id)
        stream = self.options if symbol in self._listed else self.stocks
        return symbol is not None and symbol not in stream.left_out

    def activate(self, instrument_id: int) -> None:
        """Take that its rows are recorded from now on."""
        self.feed.activate(instrument_id)

    def _stream(
        self, settings: AlpacaSettings, keys: Keys, pace: Pace, *, options: bool
    ) -> VendorStream:
        name = settings.option_feed if options else settings.stock_feed
        path = f"v1beta1/{name}" if options else f"v2/{name}"
        return VendorStream(
            name,
            f"{settings.stream_url}/{path}",
            keys=keys,
            ear=self.feed,
            on_lost=lambda: self.feed.lost(options=options),
            pace=pace,
            always=not options,
        )

    def _symbol(self, wanted: Wanted) -> str | None:
        try:
            return alpaca_symbol(spec_of(wanted.contract), _local_symbol(wanted.contract))
        except SymbolUnmapped as unmapped:
            told = (wanted.watch_id, str(unmapped))
            if told not in self._refused:
                self._refused.add(told)
                log.warning("alpaca_unmapped", watch_id=wanted.watch_id, why=str(unmapped))
            return None

    def _hold(self, seats: dict[str, Seat], listed: dict[str, tuple[Osi, str | None]]) -> None:
        self._listed = listed
        stocks = [Topic(symbol) for symbol in seats if symbol not in listed]
        underlyings = {under for _, under in listed.values() if under is not None}
        only_quotes = sorted(underlyings - seats.keys())
        for symbol in only_quotes:
            seats[symbol] = Seat(None, self._qualities[0])
        self.feed.keep(seats)
        self.stocks.want([*stocks, *(Topic(symbol, False) for symbol in only_quotes)])
        self.options.want([Topic(symbol) for symbol in listed])

    async def _take_snapshots(self, found: Mapping[str, Snapshot]) -> None:
        readings: list[tuple[str, Reading]] = []
        questions: list[Question] = []
        for symbol, snapshot in found.items():
            told = greeks.of_vendor(snapshot)
            if told is not None:
                readings.append((symbol, told))
            elif (question := self._question(symbol, snapshot)) is not None:
                questions.append(question)
        if questions:  # loads QuantLib the first time, and is no work for the loop's thread
            readings += await anyio.to_thread.run_sync(_computed, questions)
        for symbol, reading in readings:
            self.feed.computed(symbol, reading)

    def _question(self, symbol: str, snapshot: Snapshot) -> Question | None:
        option, underlying = self._listed.get(symbol, (None, None))
        middle = self.feed.middle(symbol) or greeks.middle_of(snapshot)
        spot = None if underlying is None else self.feed.middle(underlying)
        if option is None or middle is None or spot is None:
            return None
        return Question(symbol, option, middle, spot)


def spec_of(contract: Contract) -> ContractSpec:
    """Return a qualified contract as IB's description of it."""
    return ContractSpec(
        contract.symbol,
        contract.secType,
        contract.exchange,
        contract.currency,
        contract.primaryExchange,
        contract.lastTradeDateOrContractMonth,
        contract.strike,
        contract.right,
        contract.multiplier,
        contract.tradingClass,
        contract.conId,
    )


def _local_symbol(contract: Contract) -> str:
    return contract.localSymbol if contract.secType == "OPT" else ""


def _underlying(contract: Contract) -> str | None:
    """Return Alpaca's name of an option's underlying; None: it is an index, or a changed basket."""
    if contract.symbol in INDICES or contract.tradingClass[-1:].isdigit():
        return None
    try:
        return alpaca_stock(contract.symbol)
    except SymbolUnmapped:
        return None


def _computed(questions: Iterable[Question]) -> list[tuple[str, Reading]]:
    now = utcnow()
    made = ((one.symbol, greeks.compute(one, now)) for one in questions)
    return [(symbol, reading) for symbol, reading in made if reading is not None]


def _keys(settings: AlpacaSettings) -> Keys:
    if settings.key_id is None or settings.secret_key is None:
        raise ConfigRefused(
            "Alpaca has no keys.",
            remedy="Set IBKEEPER_ALPACA__KEY_ID and IBKEEPER_ALPACA__SECRET_KEY.",
        )
    keys = Keys(settings.key_id.get_secret_value(), settings.secret_key.get_secret_value())
    for secret in keys:
        hide(secret)
    return keys
