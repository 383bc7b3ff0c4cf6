"""Account feeds: who wants to hear of values, positions and profit, and when they hear of it.

After a fill every feed is brought up to date in the next turn, positions that were closed
included; values also every three minutes, PnL once a second, as prices
move. A feed ends with its cancel or its session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ibcore.sim.account import Account
from ibcore.sim.config import Clock
from ibcore.sim.orderrequests import Holdings
from ibcore.sim.requests import AccountSummary

if TYPE_CHECKING:
    from ibcore.sim.session import Session

_PNL_S: Final = 1.0
_VALUES_S: Final = 180.0  # as IB: values and portfolio also while nothing is traded
_SUMMARIES: Final = 2  # of one client at a time; then 322


class _Feeds:
    """What one session is subscribed to."""

    def __init__(self) -> None:
        self.updates = False
        self.positions = False
        self.multi: set[int] = set()
        self.positions_multi: set[int] = set()
        self.summaries: dict[int, AccountSummary] = {}
        self.pnl: dict[int, dict[str, object] | None] = {}  # what was sent last
        self.single: dict[int, tuple[int, dict[str, object] | None]] = {}


class AccountFeeds:
    """The account subscriptions of all sessions."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self.account = account
        self._clock = clock
        self._feeds: dict[Session, _Feeds] = {}
        self._seen = 0
        self._pnl_at = 0.0
        self._values_at = clock.monotonic() + _VALUES_S

    def of(self, session: Session) -> _Feeds:
        """Return a session's subscriptions."""
        return self._feeds.setdefault(session, _Feeds())

    def drop(self, session: Session) -> None:
        """Forget a session."""
        self._feeds.pop(session, None)

    # -- subscriptions -----------------------------------------------------------------------

    def updates(self, session: Session, *, subscribe: bool) -> None:
        """Answer reqAccountUpdates."""
        self.of(session).updates = subscribe
        if subscribe:
            self.account.send_updates(session, self._clock.utcnow())

    def updates_multi(self, session: Session, req_id: int) -> None:
        """Answer reqAccountUpdatesMulti."""
        self.of(session).multi.add(req_id)
        self.account.send_updates_multi(session, req_id)

    def summary(self, session: Session, request: AccountSummary) -> None:
        """Answer reqAccountSummary; a third one is refused."""
        summaries = self.of(session).summaries
        if request.req_id not in summaries and len(summaries) >= _SUMMARIES:
            cause = "Maximum number of account summary requests exceeded"
            session.error(request.req_id, 322, f"Error processing request.-'bT' : cause - {cause}")
            return
        summaries[request.req_id] = request
        self.account.send_summary(session, request)

    def positions(self, session: Session) -> None:
        """Answer reqPositions."""
        self.of(session).positions = True
        for values in self.account.positions():
            session.send_message("position", **values)
        session.send_message("position_end")

    def positions_multi(self, session: Session, req_id: int) -> None:
        """Answer reqPositionsMulti."""
        self.of(session).positions_multi.add(req_id)
        for values in self.account.positions():
            session.send_message("position_multi", req_id=req_id, **values)
        session.send_message("position_multi_end", req_id=req_id)

    def pnl(self, session: Session, request: Holdings) -> None:
        """Answer reqPnL and reqPnLSingle."""
        feeds = self.of(session)
        if request.con_id:
            feeds.single[request.req_id] = (request.con_id, None)
        else:
            feeds.pnl[request.req_id] = None
        self._send_pnl(session, feeds)

    def cancel(self, session: Session, msg_id: int, req_id: int) -> None:
        """Answer the cancel of any of them."""
        feeds = self.of(session)
        match msg_id:
            case 63:
                feeds.summaries.pop(req_id, None)
            case 64:
                feeds.positions = False
            case 75:
                feeds.positions_multi.discard(req_id)
            case 77:
                feeds.multi.discard(req_id)
            case 93:
                feeds.pnl.pop(req_id, None)
            case _:
                feeds.single.pop(req_id, None)

    # -- the turn ----------------------------------------------------------------------------

    def turn(self, changes: int) -> None:
        """Bring the feeds up to date if `changes` grew, and PnL if a second has gone by."""
        changed = changes != self._seen
        self._seen = changes
        now = self._clock.monotonic()
        if changed or now >= self._pnl_at:
            self._pnl_at = now + _PNL_S
            for session, feeds in self._feeds.items():
                self._send_pnl(session, feeds)
                if changed:
                    self._send_positions(session, feeds)
        if changed or now >= self._values_at:
            self._values_at = now + _VALUES_S
            for session, feeds in self._feeds.items():
                self._send_values(session, feeds)

    def _send_values(self, session: Session, feeds: _Feeds) -> None:
        if feeds.updates:
            self.account.send_updates(session, self._clock.utcnow(), first=False)
        for req_id in sorted(feeds.multi):
            self.account.send_updates_multi(session, req_id, first=False)
        for request in feeds.summaries.values():
            self.account.send_summary(session, request, first=False)

    def _send_positions(self, session: Session, feeds: _Feeds) -> None:
        for values in self.account.positions(flat=True):
            if feeds.positions:
                session.send_message("position", **values)
            for req_id in sorted(feeds.positions_multi):
                session.send_message("position_multi", req_id=req_id, **values)

    def _send_pnl(self, session: Session, feeds: _Feeds) -> None:
        for req_id, sent in feeds.pnl.items():
            values = self.account.pnl()
            if values != sent:
                feeds.pnl[req_id] = values
                session.send_message("pnl", req_id=req_id, **values)
        for req_id, (con_id, before) in feeds.single.items():
            single = self.account.pnl_single(con_id)
            if single is not None and single != before:
                feeds.single[req_id] = (con_id, single)
                session.send_message("pnl_single", req_id=req_id, **single)
