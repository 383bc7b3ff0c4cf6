"""The limits by name: what each means, its unit, and how its text is read.

A value is text in the row, so that the audit trail says before and after as a person wrote them;
it is read strictly here. What cannot be read refuses every order of the account (fail closed).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final, NamedTuple

EVERY_ACCOUNT: Final = "*"
# As the CHECK of the table has it.
_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_CLOCK: Final = r"([01]\d|2[0-3]):[0-5]\d"
_WINDOW: Final = re.compile(rf"{_CLOCK}-{_CLOCK}")
_WORD: Final = re.compile(r"[A-Za-z0-9*][A-Za-z0-9 ._*:-]{0,47}")


def number(text: str) -> Decimal:
    """Read a number of at least zero, without an exponent, or raise ValueError."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number of 0 or more")
    return Decimal(text)


def words(text: str) -> frozenset[str]:
    """Read words with commas between them, or raise ValueError."""
    found = [word.strip().upper() for word in text.split(",")]
    for word in found:
        if not _WORD.fullmatch(word):
            raise ValueError(f"{word!r} is no name")
    return frozenset(found)


def windows(text: str) -> frozenset[str]:
    """Read times of day such as 23:40-00:50, with commas between them, or raise ValueError."""
    found = [word.strip() for word in text.split(",")]
    for word in found:
        if not _WINDOW.fullmatch(word):
            raise ValueError(f"{word!r} is not HH:MM-HH:MM")
    return frozenset(found)


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a reader of one of these words."""

    def read(text: str) -> str:
        if text.strip() not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        return text.strip()

    return read


class Kind(NamedTuple):
    """What a limit is."""

    read: Callable[[str], Any]
    unit: str
    what: str
    required_live: bool = False


LIMITS: Final[Mapping[str, Kind]] = {
    "allowed_accounts": Kind(words, "accounts", "Only these may trade; unset: paper only.", True),
    "allowed_instruments": Kind(words, "names", "Only these: SYMBOL, SYMBOL:OPT, *:OPT, con id."),
    "denied_instruments": Kind(words, "names", "Never these; stronger than the allowed ones."),
    "max_quantity": Kind(number, "shares or contracts", "Of one order.", True),
    "max_notional": Kind(number, "currency", "Quantity × price × multiplier of one order.", True),
    "price_collar_percent": Kind(
        number, "%", "How far a price may be on the costly side of the fresh quote.", True
    ),
    "max_working_orders": Kind(number, "orders", "Working at once in the account.", True),
    "max_orders_per_s": Kind(number, "orders/s", "Sent in any second; more of them wait.", True),
    "max_orders_per_day": Kind(number, "orders/day", "Sent since midnight in New York.", True),
    "max_daily_loss": Kind(
        number, "currency", "The day's loss from which only reducing orders go.", True
    ),
    "duplicate_window_s": Kind(number, "s", "An order like another within this is refused.", True),
    "max_position": Kind(
        number, "shares or contracts", "Of an instrument, if all that works is filled.", True
    ),
    "max_quote_age_s": Kind(number, "s", "How old a quote may be for prices to lean on it: 10."),
    "trading_hours": Kind(
        one_of("off", "market_orders", "all"), "", "Which orders need an open market: off."
    ),
    "no_orders_between": Kind(windows, "New York time", "Such as the nightly restart.", True),
    "margin_check": Kind(one_of("on", "off"), "", "Ask IB what the order would tie up.", True),
    "margin_timeout_s": Kind(number, "s", "How long IB may take to answer that: 2."),
}
REQUIRED_LIVE: Final = frozenset(name for name, kind in LIMITS.items() if kind.required_live)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one account; None: not set. `unreadable` names what could not be read."""

    allowed_accounts: frozenset[str] | None = None
    allowed_instruments: frozenset[str] | None = None
    denied_instruments: frozenset[str] | None = None
    max_quantity: Decimal | None = None
    max_notional: Decimal | None = None
    price_collar_percent: Decimal | None = None
    max_working_orders: Decimal | None = None
    max_orders_per_s: Decimal | None = None
    max_orders_per_day: Decimal | None = None
    max_daily_loss: Decimal | None = None
    duplicate_window_s: Decimal | None = None
    max_position: Decimal | None = None
    max_quote_age_s: Decimal = Decimal(10)
    trading_hours: str = "off"
    no_orders_between: frozenset[str] | None = None
    margin_check: str | None = None
    margin_timeout_s: Decimal = Decimal(2)
    unreadable: tuple[str, ...] = ()

    @classmethod
    def of(cls, account: str, rows: Iterable[tuple[str, str, str]]) -> Limits:
        """Read (account, name, value); the account's own row is stronger than that of `*`."""
        general_first = sorted(rows, key=lambda row: row[0] != EVERY_ACCOUNT)
        chosen = {n: text for who, n, text in general_first if who in {EVERY_ACCOUNT, account}}
        values: dict[str, Any] = {}
        unreadable: list[str] = []
        for name, text in chosen.items():
            try:
                values[name] = parse_limit(name, text)
            except ValueError as wrong:
                unreadable.append(f"{name} ({wrong})")
        return cls(**values, unreadable=tuple(unreadable))

    @property
    def missing_live(self) -> tuple[str, ...]:
        """Return the names without which nothing is sent to a live account."""
        unset = {field.name for field in fields(self) if getattr(self, field.name) is None}
        return tuple(name for name in LIMITS if name in REQUIRED_LIVE & unset)


def parse_limit(name: str, text: str) -> Any:
    """Return the value of a limit, or raise ValueError saying why it is none."""
    if name not in LIMITS:
        raise ValueError(f"no limit is called {name!r}")
    return LIMITS[name].read(text)
