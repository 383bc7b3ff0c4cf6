"""Where a sent message carries its request id and its order id: positions among its fields.

Position 0 is the message id. Messages that a server below 164 writes differently are not told
apart: the ids of their contract details are then read wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ibcore.sim.messages import MESSAGES
from ibcore.sim.wire import SERVER_VERSION

_TICKS: Final = {1: 2, 2: 2, 21: 1, 45: 2, 46: 2}  # built in `wire`
_NEXT_VALID_ID: Final = 9  # names an order that does not exist yet


def _places(name: str) -> dict[int, int]:
    """Return where the messages of the table carry a field, by message id."""
    found = {}
    for message in MESSAGES.values():
        sent = [
            field.name for field in message.fields if field.since <= SERVER_VERSION < field.until
        ]
        if name in sent:
            found[message.msg_id] = 1 + sent.index(name)
    return found


REQUEST_AT: Final = _TICKS | _places("req_id")
ORDER_AT: Final = {
    msg_id: place for msg_id, place in _places("order_id").items() if msg_id != _NEXT_VALID_ID
}
ORDER_STATUS, ERROR, OPEN_ORDER, EXECUTION, COMMISSION = 3, 4, 5, 11, 59
EXECUTION_ID_AT: Final = {EXECUTION: 14, COMMISSION: 2}
FILLED_AT: Final = 3  # of orderStatus


def split(data: bytes) -> list[str]:
    """Return the fields of a whole frame, however spoiled it is."""
    return data[4:].decode(errors="backslashreplace").split("\0")[:-1] or [""]


def message_id(fields: Sequence[str]) -> int:
    """Return the message id, -1 where there is none."""
    number = integer(fields, 0)
    return -1 if number is None else number


def integer(fields: Sequence[str], place: int | None) -> int | None:
    """Return the whole number at a place, if there is one."""
    if place is None or len(fields) <= place:
        return None
    text = fields[place]
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 12 else None


class OrderFollower:
    """Knows the order of every message about one, also of commissions, which do not name it."""

    def __init__(self) -> None:
        self._orders: dict[str, int] = {}  # by execution id

    def order_id(self, fields: Sequence[str]) -> int | None:
        """Return the order id that a message is about, if it is about an order."""
        msg_id = message_id(fields)
        execution = self._execution(msg_id, fields)
        if msg_id == COMMISSION:
            return self._orders.get(execution)
        number = integer(fields, ORDER_AT.get(msg_id))
        if number is not None and execution:
            self._orders[execution] = number
        return number

    def _execution(self, msg_id: int, fields: Sequence[str]) -> str:
        place = EXECUTION_ID_AT.get(msg_id)
        return fields[place] if place is not None and len(fields) > place else ""
