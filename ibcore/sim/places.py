"""Where a sent message carries its request id and its order id: positions among its fields.

Position 0 is the message id. Messages that a server below 164 writes differently are not told
apart: the ids of their contract details are then read wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

REQUEST_AT: Final = {
    1: 2, 2: 2, 4: 2, 10: 1, 11: 1, 17: 1, 18: 1, 21: 1, 45: 2, 46: 2, 50: 2, 52: 2, 55: 2, 57: 2,
    58: 2, 63: 2, 64: 2, 73: 2, 74: 2, 75: 1, 76: 1, 79: 1, 81: 1, 88: 1, 89: 1, 96: 1, 97: 1,
    98: 1, 99: 1, 106: 1, 108: 1,
}  # fmt: skip
ORDER_AT: Final = {3: 1, 5: 1, 11: 2}
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
