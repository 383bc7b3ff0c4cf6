"""Farms and the link to IB: what the gateway says of them, and which lines they leave silent.

A market-data farm sleeps until its first line: 2119, then 2104 some 47 ms later; ticks do not wait
for that, since a tape's very first ones are to go out as they stand. A farm that is broken (2103)
and a link that is down (1100) leave lines silent; what they missed is conflated when they are back.
Notices of this module go to every started session, with id -1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from ibcore.sim.contracts import Contract
    from ibcore.sim.lines import Line
    from ibcore.sim.session import Session
    from ibcore.sim.streams import Stream

WAKE_S: Final = 0.047
STOCKS, OPTIONS, HISTORY, DEFINITIONS = "usfarm", "usopt", "ushmds", "secdefil"
MARKET_FARMS: Final = (STOCKS, OPTIONS)
LINK_LOST: Final = 1100
DATA_LOST: Final = 1101
DATA_KEPT: Final = 1102

_LOST = "Connectivity between IBKR and Trader Workstation has been lost."
_BACK = "Connectivity between IBKR and Trader Workstation has been restored - data "
NOTICES: Final[dict[int, str]] = {
    1100: _LOST,
    1101: _BACK + "lost. All data farms are connected: {farms}.",
    1102: _BACK + "maintained. All data farms are connected: {farms}.",
    2110: "Connectivity between Trader Workstation and server is broken."
    " It will be restored automatically.",
}


class FarmKind(NamedTuple):
    """The three words a kind of farm has for its state."""

    fine: int
    broken: int
    name: str


MARKET = FarmKind(2104, 2103, "Market data")
HMDS = FarmKind(2106, 2105, "HMDS data")
SECDEF = FarmKind(2158, 2157, "Sec-def data")
_CONNECTING = 2119
KINDS: Final = {STOCKS: MARKET, OPTIONS: MARKET, HISTORY: HMDS, DEFINITIONS: SECDEF}


def farm_of(contract: Contract) -> str:
    """Return the farm that a contract's ticks come from."""
    first = contract.legs[0].contract if contract.legs else contract
    return OPTIONS if first.is_option else STOCKS


class Farms:
    """The farms of one gateway, and its link to IB."""

    def __init__(self, sessions: Callable[[], Iterable[Session]], *, wake_s: float) -> None:
        self._sessions = sessions
        self._wake_s = wake_s
        self._awake: set[str] = set()
        self._waking: dict[str, float] = {}  # farm -> when it is awake
        self._broken: Counter[str] = Counter()
        self._outages = 0

    @property
    def link_up(self) -> bool:
        """Whether the gateway has its link to IB."""
        return not self._outages

    @property
    def all_well(self) -> bool:
        """Whether no line has to be silent."""
        return self.link_up and not self._broken

    def silences(self, line: Line | Stream) -> bool:
        """Whether this line's ticks do not come through now."""
        if self.all_well:
            return False
        farm = farm_of(line.contract)
        return not self.link_up or farm in self._broken

    def greet(self, session: Session) -> None:
        """Tell a session that started how things stand."""
        if not self.link_up:
            session.error(-1, 2110, NOTICES[2110])
            return
        for farm in (STOCKS, HISTORY, DEFINITIONS):
            session.error(-1, *self._word(farm))

    def use(self, contract: Contract, now: float) -> None:
        """Wake the farm that a new line needs."""
        farm = farm_of(contract)
        if farm in self._awake or self._wake_s <= 0:
            return
        self._awake.add(farm)
        if not self.link_up:
            return  # when the link is back, every farm is awake
        self._waking[farm] = now + self._wake_s
        self.say(_CONNECTING, f"Market data farm is connecting:{farm}")

    def turn(self, now: float) -> None:
        """Report the farms that are awake by now."""
        for farm in [farm for farm, at in self._waking.items() if at <= now]:
            del self._waking[farm]
            self.report(farm)

    def lose(self, farm: str) -> None:
        """Break a farm; each break needs its own repair."""
        self._broken[farm] += 1
        self.report(farm)

    def mend(self, farm: str) -> None:
        """Repair a farm."""
        self._broken -= Counter([farm])
        self.report(farm)

    def lose_link(self) -> None:
        """Lose the link to IB; each loss needs its own repair."""
        self._outages += 1
        self.say_lost()

    def say_lost(self) -> None:
        """Say that the link is lost, as IB repeats it."""
        self.say(LINK_LOST, NOTICES[LINK_LOST])

    def restore_link(self) -> None:
        """Get the link back, without a word."""
        self._outages = max(self._outages - 1, 0)

    def say_restored(self, code: int) -> None:
        """Say that the link is back, with data lost (1101) or kept (1102)."""
        self.say(code, NOTICES[code].format(farms="; ".join((STOCKS, HISTORY, DEFINITIONS))))

    def report(self, farm: str) -> None:
        """Tell every session how a farm is."""
        self.say(*self._word(farm))

    def _word(self, farm: str) -> tuple[int, str]:
        kind = KINDS[farm]
        if farm in self._broken:
            return kind.broken, f"{kind.name} farm connection is broken:{farm}"
        return kind.fine, f"{kind.name} farm connection is OK:{farm}"

    def say(self, code: int, text: str) -> None:
        """Send one notice to every started session."""
        for session in self._sessions():
            session.error(-1, code, text)
