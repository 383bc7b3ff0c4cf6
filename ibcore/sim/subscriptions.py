"""All lines of all sessions: the allowance, who watches what, and the turn that brings them up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import filterfalse
from typing import TYPE_CHECKING

from ibcore.sim import combos
from ibcore.sim.board import LEGAL, legal_ones
from ibcore.sim.boards import Boards
from ibcore.sim.contracts import Contract
from ibcore.sim.farms import Farms
from ibcore.sim.ledger import Ledger
from ibcore.sim.lines import Line
from ibcore.sim.permissions import DELAYED, LIVE, Decision, Permissions
from ibcore.sim.requests import MarketData
from ibcore.sim.source import Change, Source

if TYPE_CHECKING:
    from ibcore.sim.session import Session
    from ibcore.sim.streams import Stream

_NO_PERMISSION_NEEDED = 3  # snapshotPermissions of message 81


class Subscriptions:
    """The lines of one gateway."""

    def __init__(
        self,
        source: Source,
        ledger: Ledger,
        *,
        farms: Farms,
        limit: int | None,
        permissions: Permissions,
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._limit = limit
        self._farms = farms
        self._permissions = permissions
        self._boards = Boards(source)
        self._by_con_id: dict[int, list[Line]] = {}
        self._combos: dict[int, list[Line]] = {}  # by contract id of a leg
        self._snapshots: list[Line] = []
        self._behind: set[Line] = set()
        # Why a line may not speak now.
        self.silences: list[Callable[[Line | Stream], bool]] = [farms.silences]
        self.ahead_s = 0.0  # how far the market's time is ahead, after it ran faster
        self.count = 0
        self.version = 0  # changes with the set of lines

    def __iter__(self) -> Iterator[Line]:
        return (line for lines in self._by_con_id.values() for line in lines)

    def open(self, session: Session, request: MarketData, *, now: float, snapshot_s: float) -> None:
        """Answer reqMktData: a line that is up to date, or the error IB gives."""
        contract = self._resolve(session, request)
        if contract is None or not self._may_open(session, request, contract):
            return
        decided = self._permissions.decide(contract, session.market_data_kind)
        if not decided.kind:
            session.error(request.req_id, decided.code, decided.text)
            return
        line = Line(
            session, request.req_id, contract, generic=request.generic_ticks,
            delayed=decided.kind >= DELAYED, bare=request.bare,
        )  # fmt: skip
        session.lines[line.req_id] = line
        self._index(line)
        board = self._boards.watch(contract, now + self.ahead_s)
        self._farms.use(contract, now)
        self._greet(session, line, decided)
        if self.quiet(line):
            self._leave_behind(line)
        else:
            line.catch_up(board)
        if request.snapshot:
            line.ends_at = now + snapshot_s
            self._snapshots.append(line)

    def _index(self, line: Line) -> None:
        self._by_con_id.setdefault(line.contract.con_id, []).append(line)
        for leg in line.contract.legs:
            self._combos.setdefault(leg.contract.con_id, []).append(line)
        self.count += 1
        self.version += 1

    def _resolve(self, session: Session, request: MarketData) -> Contract | None:
        if request.spec.sec_type == "BAG":
            combo = combos.resolve(self._source.universe, request.spec, request.legs)
            if isinstance(combo, Contract):
                return combo
            session.error(request.req_id, 321, f"Error validating request.-'bS' : cause - {combo}")
            return None
        found = self._source.universe.find(request.spec)
        if len(found) == 1:
            return found[0]
        text = "No security definition has been found for the request"
        if found:
            text = f"The contract description specified for {request.spec.symbol} is ambiguous."
        session.error(request.req_id, 200, text)
        return None

    def _may_open(self, session: Session, request: MarketData, contract: Contract) -> bool:
        wrong = [tick for tick in request.generic_ticks if tick not in LEGAL[contract.sec_type]]
        if wrong:
            asked = ",".join(map(str, request.generic_ticks))
            session.error(
                request.req_id,
                321,
                f"Error validating request.-'bS' : cause - Incorrect generic tick list of {asked}."
                f"  Legal ones for ({contract.sec_type}) are: "
                f"{legal_ones(contract.sec_type)}",
            )
        elif request.snapshot and request.generic_ticks:
            session.error(
                request.req_id,
                321,
                "Error validating request.-'bS' : cause - Snapshot market data subscription is"
                " not applicable to generic ticks",
            )
        elif request.req_id in session.lines:
            session.error(request.req_id, 322, "Error processing request.-'bS' : cause - Duplicate"
                          f" ticker id - {request.req_id}")  # fmt: skip
        elif self._limit is not None and self.count >= self._limit:
            session.error(request.req_id, 101, "Max number of tickers has been reached.")
        else:
            return True
        return False

    def _greet(self, session: Session, line: Line, decided: Decision) -> None:
        session.send_message(
            "tick_req_params",
            req_id=line.req_id,
            min_tick=line.contract.min_tick,
            bbo_exchange="9c0001" if not line.contract.is_option else "a90001",
            permissions=_NO_PERMISSION_NEEDED,
        )
        session.send_message("market_data_type", req_id=line.req_id, kind=decided.kind)
        if decided.code:
            session.error(line.req_id, decided.code, decided.text)
        if self._permissions.closed and decided.kind in (LIVE, DELAYED):
            line.hide_quotes()

    def cancel(self, session: Session, req_id: int) -> None:
        """Answer cancelMktData."""
        line = session.lines.get(req_id)
        if line is None:
            session.error(req_id, 300, f"Can't find EId with tickerId:{req_id}")
        else:
            self._drop(line)

    def drop_all(self, session: Session) -> None:
        """Forget every line of a session that ended."""
        for line in list(session.lines.values()):
            self._drop(line)

    def _drop(self, line: Line) -> None:
        del line.session.lines[line.req_id]
        lines = self._by_con_id[line.contract.con_id]
        lines.remove(line)
        if not lines:
            del self._by_con_id[line.contract.con_id]
        if line.ends_at is not None:
            self._snapshots.remove(line)
        self._behind.discard(line)
        self.count -= 1
        self.version += 1
        for leg in line.contract.legs:
            self._combos[leg.contract.con_id].remove(line)
        self._boards.unwatch(line.contract)

    def apply(self, changes: Iterable[Change]) -> None:
        """Bring the lines of what changed up to date; lines of slow clients fall behind."""
        combined: dict[Line, None] = {}
        for change in changes:
            for line in self._by_con_id.get(change.con_id, ()):
                self._apply(line, change)
            combined.update(dict.fromkeys(self._combos.get(change.con_id, ())))
        for line in combined:  # once for all legs that moved
            self._apply(line, Change(line.contract.con_id))

    def quiet(self, line: Line) -> bool:
        """Whether a farm, the link or a fault keeps this line silent."""
        return line.dead or self.silenced(line)

    def silenced(self, line: Line | Stream) -> bool:
        """Whether nothing may be said now of what was asked for here, or as another stream."""
        return any(silence(line) for silence in self.silences)

    def kill(self, lines: Iterable[Line]) -> int:
        """Let lines go silent for good while their clients believe in them."""
        dead = [line for line in lines if not line.dead]
        for line in dead:
            line.dead = True
            self._behind.discard(line)
        return len(dead)

    def _leave_behind(self, line: Line) -> None:
        line.behind = True
        if not line.dead:
            self._behind.add(line)

    def _apply(self, line: Line, change: Change) -> None:
        if self.quiet(line):
            self._leave_behind(line)
        elif line.session.congested:
            self._leave_behind(line)
            line.session.conflated += 1
            self._ledger.counts["conflated"] += 1
        elif change.ticks and not line.behind:
            for tick in change.ticks:
                line.send_exactly(tick)
        else:
            line.catch_up(self._boards.board(line.contract))

    def catch_up(self) -> None:
        """Bring the lines that may speak again to the present; the past is conflated."""
        able = [line for line in self._behind if not line.session.congested]
        for line in sorted(filterfalse(self.quiet, able), key=lambda line: line.key):
            self._behind.discard(line)
            line.catch_up(self._boards.board(line.contract))

    def end_snapshots(self, now: float) -> None:
        """Send 57 to the snapshots whose time is up."""
        for line in [line for line in self._snapshots if line.ends_at and line.ends_at <= now]:
            line.session.send_message("snapshot_end", req_id=line.req_id)
            self._drop(line)
