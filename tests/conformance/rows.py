"""One example of a message: its name and values, or a function that builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

from ibcore.sim import messages


@dataclass(frozen=True)
class Example:
    """One message with values; `build` is for frames that do not come from the table."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    build: Callable[[int], bytes] | None = None
    unheard: dict[str, str] = field(default_factory=dict)

    def frame(self, version: int) -> bytes:
        """Build the frame for a client that negotiated `version`."""
        if self.build is not None:
            return self.build(version)
        return messages.encode(self.name.split(" ")[0], version, **self.values)


@dataclass(frozen=True)
class Explained:
    """Why the two clients differ here, and what must hold between what they hand on."""

    why: str
    holds: Callable[[Any, Any], bool]  # ib_async's value, the official client's


def same_moment(mine: Any, theirs: Any) -> bool:
    """Say whether ib_async's moment in UTC is the one that the official client left as sent."""
    if isinstance(theirs, float):
        moment = datetime.fromtimestamp(theirs, timezone.utc)
    else:
        day, clock, *zone = str(theirs).split()
        moment = datetime.strptime(day + clock, "%Y%m%d%H:%M:%S")  # noqa: DTZ007 (zone follows)
        moment = moment.replace(tzinfo=ZoneInfo(zone[0] if zone else "UTC"))
    return bool(f"{moment.astimezone(timezone.utc):%Y%m%d %H:%M:%S}" == mine)


CONTRACT: Final = {
    "con_id": 693427661, "symbol": "NVDA", "sec_type": "OPT", "expiry": "20260821",
    "strike": 182.5, "right": "C", "multiplier": "100", "exchange": "CBOE", "currency": "USD",
    "local_symbol": "NVDA  260821C00182500", "trading_class": "NVDAX",
}  # fmt: skip
