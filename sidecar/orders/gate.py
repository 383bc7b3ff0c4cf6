"""Why nothing may be sent now: every reason in one place, asked right before each frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Why = Callable[[], str | None]


def open_always() -> str | None:
    """Return no reason: a desk without a kill switch, in tests of other parts."""
    return None


@dataclass(slots=True)
class Gate:
    """Shut until the session is ready, the link up, and a reconciliation has succeeded."""

    kill_switch: Why = open_always
    live_checks: Why = open_always
    ready: bool = False
    link_up: bool = True
    reconciled: bool = False
    accounts: tuple[str, ...] = field(default_factory=tuple)

    def why_no_cancel(self) -> str | None:
        """Return why not even a cancel can go."""
        if not self.ready:
            return "the orders session is not ready"
        return None if self.link_up else "the gateway has no link to IB"

    def why(self) -> str | None:
        """Return why no order may go, or None when it may."""
        if (stopped := self.kill_switch()) is not None:
            return f"kill switch: {stopped}"
        if (unable := self.why_no_cancel()) is not None:
            return unable
        if (unwell := self.live_checks()) is not None:
            return unwell
        return None if self.reconciled else "orders are not reconciled yet"
