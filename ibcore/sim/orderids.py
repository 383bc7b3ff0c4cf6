"""Numbers of orders: each client's next order id, and permanent ids over all clients."""

from __future__ import annotations

from typing import Final

_FIRST_PERM_ID: Final = 600_000_000


class OrderIds:
    """Which ids were used; a client's next id exceeds every id it has used."""

    def __init__(self, seed: int) -> None:
        self._next: dict[int, int] = {}
        self._perm_id = _FIRST_PERM_ID + seed % 1_000 * 1_000

    def next(self, client_id: int) -> int:
        """Return the next order id that a client may use."""
        return self._next.get(client_id, 1)

    def use(self, client_id: int, order_id: int) -> None:
        """Remember that an id was used."""
        self._next[client_id] = max(self.next(client_id), order_id + 1)

    def new_perm_id(self) -> int:
        """Return a permanent id that nobody has."""
        self._perm_id += 1
        return self._perm_id

    def forget(self) -> None:
        """Start every client's ids again, as a gateway does whose ids were reset."""
        self._next.clear()

    def roll_back(self, count: int) -> None:
        """Give the last ids again, as a gateway may after a restart (Lean.Brokerages.IB#242)."""
        self._next = {client: max(1, order_id - count) for client, order_id in self._next.items()}
