"""One market and its clients, all moved by hand: the floor that the book's tests stand on."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any

from ibcore.sim.board import Board
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.config import SimConfig
from ibcore.sim.contracts import Contract, Spec, Universe, option, stock
from ibcore.sim.orderledger import OrderLedger
from ibcore.sim.orderrequests import PlaceOrder
from ibcore.sim.orders import Group, Order
from ibcore.sim.tickets import Ticket
from ibcore.sim.trading import Trading

AAPL = stock(CATALOGUE["AAPL"])
CALL = option(CATALOGUE["AAPL"], date(2027, 1, 15), 230.0, right="C")
HIGHER = option(CATALOGUE["AAPL"], date(2027, 1, 15), 240.0, right="C")
BAG = "BAG"


class Hand:
    """A market and a clock that move by hand."""

    def __init__(self) -> None:
        self.universe = Universe([AAPL, CALL, HIGHER])
        self.boards = {contract.con_id: Board() for contract in (AAPL, CALL, HIGHER)}
        self.at = datetime(2026, 11, 23, 15, 0, tzinfo=timezone.utc)
        self.held = 0
        self.quote(200.0, 300.0, 200.1, 500.0, last=200.05)
        self.boards[CALL.con_id].quote(5.0, 20.0, 5.1, 30.0)
        self.boards[HIGHER.con_id].quote(3.0, 8.0, 3.05, 9.0)

    def quote(self, *numbers: float, last: float) -> None:
        self.boards[AAPL.con_id].quote(*numbers)
        self.boards[AAPL.con_id].values[4] = last

    def watch(self, contract: Contract, _now: float) -> Board:
        self.held += 1
        return self.board(contract)

    def unwatch(self, _contract: Contract) -> None:
        self.held -= 1

    def board(self, contract: Contract) -> Board:
        return self.boards[contract.con_id]

    def spot_of(self, _stock: Contract) -> float:
        return 200.05

    def advance(self, _now: float) -> list[Any]:
        return []

    def monotonic(self) -> float:
        return self.at.timestamp()

    def utcnow(self) -> datetime:
        return self.at

    def unix_ns(self) -> int:
        return int(self.at.timestamp() * 1e9)


class Client:
    """A session that keeps what it is told."""

    number = 1
    version = 178

    def __init__(self, client_id: int = 1) -> None:
        self.client_id = client_id
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.codes: list[int] = []

    def send_message(self, name: str, **values: Any) -> None:
        self.heard.append((name, values))

    def error(self, _req_id: int, code: int, _text: str) -> None:
        self.codes.append(code)


class Floor:
    """Clients at one market; what has no `by` is the first one's."""

    def __init__(self, *others: int, **settings: Any) -> None:
        self.hand = Hand()
        self.clients = {number: Client(number) for number in (1, *others)}
        self.client = self.clients[1]
        self.ledger = OrderLedger()
        self.next_id = 1
        self.config = SimConfig(clock=self.hand, tif_preset=False, **settings)
        self.sessions: dict[int, Any] = dict(self.clients)
        self.trading = Trading(self.config, self.hand, self.sessions, ledger=self.ledger)
        self.book = self.trading.book

    def place(self, kind: str, quantity: float = 100, **values: Any) -> Ticket:
        """Place an order that is taken."""
        ticket = self.try_place(kind, quantity, **values)
        assert ticket is not None, self.ledger.events[-1].detail
        return ticket

    def try_place(self, kind: str, quantity: float = 100, **values: Any) -> Ticket | None:
        """Place an order; return what the book knows under its id."""
        contract = values.pop("contract", AAPL)
        client = self.clients[values.pop("by", 1)]
        order_id = values.pop("order_id", self.next_id)
        self.next_id = max(self.next_id, order_id + 1)
        legs: Group = ()
        spec = Spec(con_id=contract.con_id) if contract != BAG else Spec(sec_type=BAG)
        if contract == BAG:
            legs = tuple(
                (str(leg.con_id), "1", side, "SMART", "0", "0", "", "-1")
                for leg, side in ((CALL, "BUY"), (HIGHER, "SELL"))
            )
        conditions: Group = values.pop("conditions", ())
        said = {"action": "BUY", "tif": "DAY", "transmit": "1", **values}
        order = Order({
            **{name: str(value) for name, value in said.items()},
            "order_type": kind, "total_quantity": str(quantity),
        }, legs=legs, conditions=conditions)  # fmt: skip
        self.trading.desk.place(client, PlaceOrder(3, order_id, spec, order))  # type: ignore[arg-type]
        return self.book.find(client.client_id, order_id)
