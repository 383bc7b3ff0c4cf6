"""The whole path under everything that can happen to it: rows, desk, wire, book; random walks.

hypothesis drives a real desk on a real database against the simulated gateway over a socket:
orders, changes, cancels, fills, corrections, lost, doubled and shuffled messages, lost links, id
rollbacks, crashes on the way of an order, the kill switch, limits, another start that takes over,
broken connections to the database, a database that is away, two processes at once, orders of
others, a wall clock that jumps. When it rests, the gateway's ledger is the judge.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import anyio
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ib_async import LimitOrder, Stock

from ibcore import authority, clock, db
from ibcore.authority import Word
from ibcore.batch import submit
from ibcore.batch.submit import BatchConflict
from ibcore.log import get_logger
from ibcore.notices import order_word
from ibcore.order_states import (
    Evidence,
    EvidenceKind,
    Fill,
    IntentState,
    OrderView,
    fold,
    split_exec_id,
)
from ibcore.sim.server import Gateway, SimConfig
from sidecar.orders import crash
from tests.integration.gateways import eventually
from tests.integration.sim_client import ib_client
from tests.integration.trading import (
    ACCOUNT,
    Trading,
    fresh_quote,
    know_spy,
    line,
    next_epoch,
    trading,
)

log = get_logger(__name__)
_T = TypeVar("_T")
PLACES = ("after_risk", "after_submitting", "before_frame", "after_frame")
NOISE = ("lost-ack", "lost-fill", "duplicate", "reorder")
MOMENT_S = 0.004
RARE = st.integers(0, 5).map(lambda number: number == 3)
SHAKES = (
    *("crash", "restart", "another start", "two at once", "database", "no database", "clock"),
    *("others", "drop", "reset", "rollback"),
)
OUTAGE_S = 0.6
OTHERS = 77
EMPTY = (
    "TRUNCATE ibkeeper.order_event, ibkeeper.execution, ibkeeper.commission, ibkeeper.position,"
    " ibkeeper.order_intent, ibkeeper.order_batch, ibkeeper.order_id_high, ibkeeper.incident,"
    " ibkeeper.risk_limit, ibkeeper.kill_switch, ibkeeper.account_state CASCADE"
)
STEPS = {"walked": 0}


class WallClock(datetime):
    """The wall clock of the process, wrong by `ahead`."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        """Return what the wrong clock shows."""
        return datetime.now(tz) + cls.ahead


class Crashed(BaseException):
    """The process would be dead here."""


class Walk(RuleBasedStateMachine):
    """One system, and everything that is done to it."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        # On the main thread, where signals are: the system moves while something is done to it.
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.keys: list[tuple[str, int]] = []
        self.conflicts = 0
        self.before_stop: frozenset[int] | None = None
        self.armed = ""
        self.desk: Trading
        self.gateway: Gateway
        self.changed: set[str] = set()
        crash.point = self._point  # type: ignore[assignment]

    def _point(self, name: str) -> None:
        if name == self.armed:
            self.armed = ""
            raise Crashed

    def do(self, work: Callable[..., Awaitable[_T]], *values: Any) -> _T:
        """Run something on the system's loop."""
        STEPS["walked"] += 1

        async def done() -> _T:
            result = await work(*values)
            await asyncio.sleep(MOMENT_S)
            return result

        return self.loop.run_until_complete(done())

    @initialize()
    def begin(self) -> None:
        self.do(self._begin)

    async def _begin(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(EMPTY)
        self.gateway = Gateway(SimConfig(cadence_scale=0.1, messages_per_second=None))
        await self.gateway.start()
        await know_spy(self.gateway, self.url)
        await self._start()

    async def _start(self) -> None:
        """Start a desk in a task of its own: a crash must not take the walk with it."""
        self.running = anyio.Event()
        self.over = anyio.Event()
        self.ended = anyio.Event()
        self.task = asyncio.create_task(self._live(), name="a desk")
        await self.running.wait()

    async def _live(self) -> None:
        running, over, ended = self.running, self.over, self.ended  # the next start makes its own
        home = Path(self.folder.name)
        fast = {"absence_s": 0.3, "inflight_s": 0.2, "scan_timeout_s": 0.5}
        try:
            async with trading(self.url, home, self.gateway, ready=False, **fast) as desk:
                self.desk = desk
                running.set()
                await over.wait()
        except BaseException as died:
            if not _is_crash(died):
                raise
        finally:
            ended.set()

    async def _restart(self) -> None:
        self.over.set()
        await self.ended.wait()
        await self._start()

    @rule(count=st.integers(1, 3), quantity=st.integers(1, 9), price=st.integers(1, 9))
    def give(self, count: int, quantity: int, price: int) -> None:
        key = f"batch {len(self.keys)}"
        made = [line(quantity + n, limit_price=Decimal(price)) for n in range(count)]
        self.do(lambda: self.desk.submit(key, *made))
        self.keys.append((key, count))

    @rule(quantity=st.integers(1, 5))
    def give_at_market(self, quantity: int) -> None:
        fresh_quote(self.url, 600, 700)
        key = f"batch {len(self.keys)}"
        self.do(lambda: self.desk.submit(key, line(quantity, order_type="MKT")))
        self.keys.append((key, 1))

    @precondition(lambda self: self.keys)
    @rule(number=st.integers(0, 10**6))
    def give_again(self, number: int) -> None:
        key, count = self.keys[number % len(self.keys)]
        with pytest.raises(BatchConflict):
            self.do(lambda: self.desk.submit(key, *[line(99)] * (count + 1)))
        self.conflicts += 1

    @precondition(lambda self: self.keys)
    @rule(number=st.integers(0, 10**6))
    def cancel(self, number: int) -> None:
        self.do(lambda: self.desk.cancel(self.keys[number % len(self.keys)][0]))

    @precondition(lambda self: self.keys)
    @rule(number=st.integers(0, 10**6), price=st.integers(1, 9))
    def modify(self, number: int, price: int) -> None:
        key = self.keys[number % len(self.keys)][0]
        self.changed.add(key)
        self.do(self._modify, key, price)

    async def _modify(self, key: str, price: int) -> None:
        async with db.opened(self.url, application="test") as conn:
            await submit.modify(conn, key, 1, limit_price=price)

    @rule(shares=st.sampled_from([0, 1, 2]))
    def fill(self, shares: int) -> None:
        self.fault("fill", None, shares=shares)

    @rule(price=st.integers(1, 9))
    def correct(self, price: int) -> None:
        self.fault("correct", None, price=price)

    @rule(name=st.sampled_from(NOISE))
    def disturb(self, name: str) -> None:
        self.fault(name, 0.1)

    @rule(code=st.sampled_from(["lost", "kept"]))
    def lose_the_link(self, code: str) -> None:
        self.fault("notice", None, code=1100)  # codes of the simulator's command
        self.fault("notice", None, code=1101 if code == "lost" else 1102)

    def fault(self, name: str, for_s: float | None, **values: Any) -> None:
        try:
            self.do(lambda: self.gateway.fault(name, for_s, **values))
        except ValueError:
            log.debug("nothing to disturb", fault=name)  # no such order, no session

    # What takes long is rare: hypothesis gives every rule the same weight.
    @rule(what=st.sampled_from(SHAKES), place=st.sampled_from(PLACES), luck=RARE)
    def shake(self, what: str, place: str, luck: bool) -> None:
        if not luck:
            self.fill(1)
        elif what == "crash":
            self.crash(place)
        elif what == "restart":
            self.do(self._restart)
        elif what == "another start":
            self.be_taken_over()
        elif what == "two at once":
            self.do(self._two_at_once)
        elif what == "database":
            self.break_the_database_connections()
        elif what == "no database":
            self.do(self._lose_the_database)
        elif what == "clock":
            WallClock.ahead = timedelta(hours=random.Random(len(self.keys)).choice((-26, -1, 1)))
        elif what == "others":
            self.do(self._let_others_trade)
        else:
            self.fault(what, None)

    async def _two_at_once(self) -> None:
        """Another process of this name begins while this one still runs, and is left alone."""
        over, ended = self.over, self.ended
        await self._start()
        await asyncio.sleep(0.05)
        over.set()
        await ended.wait()

    async def _lose_the_database(self) -> None:
        """Every connection of the desk is cut as soon as it is made, for a while."""
        ends_at = asyncio.get_running_loop().time() + OUTAGE_S
        while asyncio.get_running_loop().time() < ends_at:
            self.break_the_database_connections()
            await asyncio.sleep(0.02)

    async def _let_others_trade(self) -> None:
        """Somebody else trades in the account, by another client."""
        async with ib_client(self.gateway, OTHERS) as ib:
            order = LimitOrder("BUY", 2, 1.5, tif="DAY", account=ACCOUNT)
            ib.placeOrder(Stock("SPY", "SMART", "USD"), order)
            await asyncio.sleep(0.05)

    def crash(self, place: str) -> None:
        self.armed = place
        self.give(1, 5, 3)
        self.do(self._crashed)

    async def _crashed(self) -> None:
        with anyio.move_on_after(0.3):
            await self.ended.wait()
        self.armed = ""
        await self._restart()

    def be_taken_over(self) -> None:
        """Another start takes the name: this one may send nothing more."""
        next_epoch(self.url)
        before = len(self._ours())
        self.give(1, 4, 2)
        assert len(self._ours()) <= before + 1  # one may be committed already
        self.do(self._restart)

    def break_the_database_connections(self) -> None:
        self.desk.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE starts_with(application_name, 'ibkeeper orders')"
            " OR starts_with(application_name, 'ibkeeper kill')"
        )

    @rule(most=st.sampled_from(["3", "8", None]))
    def limit(self, most: str | None) -> None:
        self.do(self._limit, most)

    async def _limit(self, most: str | None) -> None:
        async with db.opened(self.url, application="test") as conn:
            await authority.set_limit(conn, "max_quantity", most, word=Word("ann"))

    @precondition(lambda self: self.before_stop is None)
    @rule()
    def stop(self) -> None:
        self.do(self._switch, True)

    @precondition(lambda self: self.before_stop is not None)
    @rule()
    def go_on(self) -> None:
        self.before_stop = None
        self.do(self._switch, False)

    async def _switch(self, on: bool) -> None:
        async with db.opened(self.url, application="test") as conn:
            await authority.set_kill_switch(conn, on, Word("ann", "a walk"))
        if on:
            await eventually(lambda: self.desk.desk.engine.gate.kill_switch())
            # What left before may still be on its way through the socket.
            self.before_stop = frozenset(self._ours()) | frozenset(self._handed_over())

    def _handed_over(self) -> list[int]:
        return [t.order_id for t in self.desk.desk.engine.book if t.sent_at is not None]

    def _ours(self) -> list[int]:
        return [order for client, order in self.desk.placed() if client == 12]

    @invariant()
    def nothing_is_placed_twice_and_ids_grow(self) -> None:
        if not hasattr(self, "desk"):
            return
        ids = self._ours()
        assert ids == sorted(set(ids))
        if self.before_stop is not None:
            assert set(ids) <= self.before_stop

    def teardown(self) -> None:
        try:
            if hasattr(self, "desk"):
                self.do(self._rest)
                self._judge()
                self.over.set()
                self.do(self.ended.wait)
                self.do(self.gateway.stop)
        finally:
            self.loop.close()
            self.folder.cleanup()

    async def _rest(self) -> None:
        WallClock.ahead = timedelta()
        await self.gateway.fault("clear")
        self.armed = ""
        if self.before_stop is not None:
            self.before_stop = None
            await self._switch(False)
        await self._restart()
        await eventually(lambda: self.desk.desk.engine.gate.why() is None, within_s=15)
        moving = (
            "SELECT count(*) FROM ibkeeper.order_intent"
            " WHERE state IN ('intent', 'submitting', 'sent')"
        )
        await eventually(lambda: self.desk.ask(moving) == [{"count": 0}], within_s=20)
        # A market order that is known to be there fills by itself in the gateway's next turn.
        book = self.gateway.trading.book
        await eventually(lambda: all(ticket.limit is not None for ticket in book.live))
        await eventually(self._positions_agree, within_s=10)
        await eventually(lambda: self.desk.desk.ledger.waiting == 0)

    def _positions_agree(self) -> bool:
        held = sum(p.quantity for p in self.gateway.trading.book.portfolio.held)
        (row,) = self.desk.ask("SELECT coalesce(sum(quantity), 0) AS held FROM ibkeeper.position")
        return bool(float(row["held"]) == held)

    def _judge(self) -> None:
        """I1 to I13, by the gateway's ledger."""
        orders = self.desk.ask(
            "SELECT i.*, b.key FROM ibkeeper.order_intent i JOIN ibkeeper.order_batch b"
            " ON b.id = i.batch_id WHERE i.kind = 'new'"
        )
        by_id = {row["order_id"]: row for row in orders if row["order_id"]}
        placed = Counter(order for client, order in self.desk.placed() if client == 12)
        assert set(placed) <= set(by_id), "a frame without its row"
        assert set(placed.values()) <= {1}, "sent twice"
        filled = self._filled()
        steps = self.gateway.ledger.orders.events
        refused = {o.order_id for o in steps if o.what == "refused" and o.client_id == 12}
        for order_id, row in by_id.items():
            state = IntentState(row["state"])
            assert float(row["filled"]) == filled.get(order_id, 0.0), (row, filled.get(order_id))
            if not placed[order_id] and order_id not in refused:
                assert state in {IntentState.not_sent, IntentState.unknown}, row
        unknown = {str(row["id"]) for row in orders if row["state"] == "unknown"}
        told = self.desk.ask(
            "SELECT key FROM ibkeeper.incident WHERE kind = 'order_unknown' AND closed_at IS NULL"
        )
        assert {row["key"].partition(":")[2] for row in told} == unknown
        self._replay(orders)

    def _filled(self) -> dict[int, float]:
        newest: dict[tuple[int, str], tuple[int, float]] = {}
        for one in self.gateway.ledger.orders.fills:
            if one.client_id != 12:
                continue
            base, revision = split_exec_id(one.exec_id)
            key = (one.order_id, base)
            newest[key] = max(newest.get(key, (-1, 0.0)), (revision, one.shares))
        sums: dict[int, float] = defaultdict(float)
        for (order_id, _), (_, shares) in newest.items():
            sums[order_id] += shares
        return sums

    def _replay(self, orders: list[dict[str, Any]]) -> None:
        events = defaultdict(list)
        for row in self.desk.ask("SELECT * FROM ibkeeper.order_event ORDER BY id"):
            events[row["intent_id"]].append(row)
        for row in orders:
            if row["order_id"] is None or row["key"] in self.changed:
                continue
            view = OrderView(IntentState.submitting, row["quantity"])
            for event in events[row["id"]]:
                view = fold(view, _evidence(event))
            assert (str(view.state), view.filled) == (row["state"], row["filled"]), row


def _evidence(event: dict[str, Any]) -> Evidence:
    kind, raw = EvidenceKind(event["kind"]), event["raw"] or {}
    if kind is EvidenceKind.execution:
        base, revision = split_exec_id(raw["exec_id"])
        done = Fill(base, revision, Decimal(str(raw["shares"])), Decimal(str(raw["price"])))
        return Evidence(kind, perm_id=event["perm_id"], fill=done)
    if kind is EvidenceKind.error:
        return Evidence(kind, word=order_word(event["code"]))
    filled = raw.get("filled")
    said = None if event["state"] is None else IntentState(event["state"])
    return Evidence(
        kind,
        status=event["status"],
        filled=None if filled is None else Decimal(str(filled)),
        perm_id=event["perm_id"],
        state=said if kind in {EvidenceKind.absent, EvidenceKind.not_sent} else None,
    )


def _is_crash(died: BaseException) -> bool:
    if isinstance(died, Crashed):
        return True
    parts = getattr(died, "exceptions", ())
    return bool(parts) and any(_is_crash(each) for each in parts)


def walk(url: str, *, examples: int, steps: int) -> None:
    """Walk, and print how to walk the same way again."""
    Walk.url = url
    before = crash.point
    clock.datetime = WallClock  # type: ignore[misc]
    try:
        run_state_machine_as_test(
            Walk,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                print_blob=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        crash.point = before
        clock.datetime = datetime  # type: ignore[misc]
    log.warning("walked", steps=STEPS["walked"])


@pytest.mark.timeout(1_500)  # two minutes on a quiet machine, ten on a busy one
def test_ten_thousand_steps_double_nothing_and_lose_nothing(db_url: str) -> None:
    # How many steps a walk does is up to the dice: 27 of them were 9,795 once.
    STEPS["walked"] = 0
    while STEPS["walked"] < 10_000:
        walk(db_url, examples=9, steps=400)
