"""What was recorded of history and tick-by-tick data, built through the simulator's encoders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from ibcore.sim import bars, historical, messages, periods
from ibcore.sim.bars import Bar

ZEROS = "a number is written without trailing zeros; it is the same number"


def _noon(day: int) -> float:
    return datetime(2023, 4, day, 16, tzinfo=timezone.utc).timestamp()


_ASKED_AT = datetime(2023, 4, 15, 20, 31, 22, tzinfo=timezone.utc).timestamp()
ONE_ZONE = "one space and the zone, as the moments of bars are written (clients read both forms)"


def two_days() -> bytes:
    """Build 17 with the two daily bars that were recorded."""
    built = [
        Bar(_noon(13), 182.94, 186.5, 180.94, 185.9, 948837.22, 184.869, 324891),
        Bar(_noon(14), 183.88, 186.28, 182.01, 185.0, 810998.27, 183.9865, 277547),
    ]
    return messages.encode(
        "historical_data",
        173,
        req_id=9000,
        **historical.told(periods.duration("2 D"), _ASKED_AT),
        bars_details=[len(built), *bars.written(built, bars.DAY_S, as_number=False)],
    )


def ticks(name: str, *listed: object) -> Callable[[], bytes]:
    """Build 96, 97 or 98."""
    return lambda: messages.encode(name, 173, req_id=9000, ticks_details=[*listed], done=True)


_TIMES = [1681133398] + [1681133400] * 23
_MIDS = (
    "91.36 91.355 91.35 91.345 91.35 91.355 91.35 91.34 91.345 91.34 91.345 91.34 91.335 91.33"
    " 91.325 91.32 91.325 91.32 91.315 91.32 91.325 91.32 91.315 91.31"
)
MIDPOINTS = ticks(
    "historical_ticks",
    24,
    *(
        part
        for time, mid in zip(_TIMES, _MIDS.split(), strict=True)
        for part in (time, 0, float(mid), 0)
    ),
)
BID_ASKS = ticks(
    "historical_ticks_bid_ask",
    4,
    *(1681133399, 0, 11.63, 11.83, 2800, 100, 1681133400, 0, 11.63, 11.83, 2800, 200),
    *(1681133400, 0, 11.63, 11.72, 2800, 100, 1681133400, 0, 11.63, 11.83, 2800, 200),
)
LASTS = ticks(
    "historical_ticks_last",
    7,
    *(1681133400, 0, 11.63, 24547, "ISLAND", " O X", 1681133400, 2, 11.73, 1, "DRCTEDGE", "   I"),
    *(1681133401, 0, 11.63, 179, "FINRA", "", 1681133401, 2, 11.73, 1, "FINRA", "   I"),
    *(1681133402, 2, 11.63, 1, "FINRA", " 4 I", 1681133402, 2, 11.73, 1, "FINRA", "   I"),
    *(1681133402, 2, 11.73, 1, "FINRA", "   I"),
)
