"""Who may see what: live, delayed or no data, by symbol, and what IB says where it is not live.

    {"*": "live", "TSLA": "delayed", "AMD": "none"}

`live` everything; `partial` live, with 10090 (10091 for who asked for delayed data); `additional`
delayed at most, refused with 10089; `delayed` delayed at most, refused with 10168; `none` nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ibcore.sim.contracts import Contract

LIVE, FROZEN, DELAYED, DELAYED_FROZEN = 1, 2, 3, 4
GRANTS: Final = ("live", "partial", "additional", "delayed", "none")
DELAY_S: Final = 900

# Live tick types and their delayed twins; the rest of a line has none and is the same.
TWINS: Final[Mapping[int, int]] = {
    1: 66, 2: 67, 4: 68, 0: 69, 3: 70, 5: 71, 6: 72, 7: 73, 8: 74, 9: 75, 14: 76,
    10: 80, 11: 81, 12: 82, 13: 83, 45: 88, 49: 90,
}  # fmt: skip
LIVE_ONLY: Final = frozenset({32, 33, 48, 77, 84})  # exchanges and trade strings: no twin

_NOT = "Requested market data is not subscribed."
_DIALOG = "See link in 'Market Data Connections' dialog for more details."
_TEXTS: Final = {
    354: _NOT,
    10089: f"Requested market data requires additional subscription for API. {_DIALOG}"
    " Delayed market data is available.",
    10090: "Part of requested market data is not subscribed. Subscription-independent ticks are"
    " still active.",
    10091: f"Part of requested market data requires additional subscription for API. {_DIALOG}"
    " Delayed market data is available.",
    10167: f"{_NOT} Displaying delayed market data.",
    10168: f"{_NOT} Delayed market data is not enabled.",
}


class Decision(NamedTuple):
    """What a line gets: its market data type, 0 for none, and a notice, 0 for none."""

    kind: int
    code: int = 0

    @property
    def text(self) -> str:
        """The notice as IB words it."""
        return _TEXTS[self.code]


class Permissions:
    """What the user of a gateway may see."""

    def __init__(self, granted: Mapping[str, str], *, closed: bool = False) -> None:
        self._granted = granted
        self.closed = closed

    def grant(self, contract: Contract) -> str:
        """Return what is granted for the contract's symbol; a combination's is its first leg's."""
        traded = contract.legs[0].contract if contract.legs else contract
        return self._granted.get(traded.symbol, self._granted.get("*", "live"))

    def is_live(self, contract: Contract) -> bool:
        """Whether everything that needs a subscription may be asked for."""
        return self.grant(contract) in ("live", "partial")

    def decide(self, contract: Contract, asked: int) -> Decision:
        """Say what a line gets whose session asked for this market data type."""
        frozen = self.closed and asked in (FROZEN, DELAYED_FROZEN)
        live, delayed = (FROZEN, DELAYED_FROZEN) if frozen else (LIVE, DELAYED)
        late = asked in (DELAYED, DELAYED_FROZEN)
        match self.grant(contract):
            case "live":
                return Decision(live)
            case "partial":
                return Decision(live, 10091 if late else 10090)
            case "none":
                return Decision(0, 354)
            case "additional":
                return Decision(delayed, 10167) if late else Decision(0, 10089)
            case _:
                return Decision(delayed, 10167) if late else Decision(0, 10168)


def check(granted: Mapping[str, str]) -> None:
    """Refuse a grant that is not one."""
    for symbol, grant in granted.items():
        if grant not in GRANTS:
            raise ValueError(f"permissions: {symbol} has {grant!r}; there are {', '.join(GRANTS)}.")
