"""The one way of order messages to clients: a single function that faults can wrap.

`hook`, when set, gets (session, kind, values, send) instead of the socket, and may call `send`
never, later, twice or in another order. The book and its ledger do not know the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from ibcore.sim.session import Session

Values: TypeAlias = dict[str, Any]
Send: TypeAlias = Callable[["Session", str, Values], None]
Hook: TypeAlias = Callable[["Session", str, Values, Send], None]

_OF_AN_ORDER: Final = frozenset({"open_order", "order_status"})


class OrderWire:
    """Sends to whoever is connected; `kind` is a name of the message table."""

    def __init__(self, sessions: Mapping[int, Session], *, master: int | None = None) -> None:
        self._sessions = sessions
        self._master = master
        self.hook: Hook | None = None
        # Told of what goes out about orders of others: (client that hears it, order id).
        self.on_foreign: Callable[[int, int], None] = lambda _client, _order_id: None

    def tell(self, client: int, kind: str, /, **values: Any) -> None:
        """Deliver to the session of a client, and news (no errors) to the master client."""
        hearing = {client} if kind == "error" or self._master is None else {client, self._master}
        for number in sorted(hearing):
            session = self._sessions.get(number)
            if session is not None:
                self.deliver(session, kind, **values)

    def deliver(self, session: Session, kind: str, /, **values: Any) -> None:
        """Send one order message, or hand it to the hook."""
        if self.hook is None:
            self.send(session, kind, values)
        else:
            self.hook(session, kind, values, self.send)

    def refuse(self, session: Session, req_id: int, *, code: int, text: str) -> None:
        """Deliver an error of an order."""
        self.deliver(session, "error", req_id=req_id, code=code, text=text)

    def send(self, session: Session, kind: str, values: Values) -> None:
        """Queue one message on a session's socket."""
        if kind == "error":
            session.error(values["req_id"], values["code"], values["text"])
            return
        session.send_message(kind, **values)
        if kind in _OF_AN_ORDER and values["client_id"] != session.client_id:
            self.on_foreign(session.client_id, values["order_id"])
