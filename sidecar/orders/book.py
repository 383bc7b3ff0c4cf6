"""Whose it is, and what is known of it now: every intent that may still move, in memory.

Matched by orderRef first, then permId, then (client id, order id) of this connection; never by
order id alone where more is said: a gateway that was restarted gives old ids again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from ibcore.order_states import (
    TERMINAL,
    WORKING,
    Evidence,
    EvidenceKind,
    Fill,
    IntentKind,
    IntentState,
    OrderView,
    fold,
)
from sidecar.orders.heard import Heard

_DEAD: Final = frozenset({"Filled", "Cancelled", "ApiCancelled"})


@dataclass(slots=True)
class Tracked:
    """One intent in memory. `steps` are the states it has passed since it was last written."""

    id: UUID
    view: OrderView
    row: Mapping[str, Any]
    order_id: int
    client_id: int
    submitted_at: datetime
    steps: list[IntentState] = field(default_factory=list)
    live: dict[int, bool] = field(default_factory=dict)
    seen: bool = False
    absent_at: float | None = None
    sent_at: float | None = None
    cancel_sent_at: float | None = None
    told_unknown: bool = False

    @property
    def state(self) -> IntentState:
        """Return what is known of it."""
        return self.view.state

    @property
    def kind(self) -> IntentKind:
        """Return whether it is an order, or a change or cancel of one."""
        return self.view.kind

    def take(self, evidence: Evidence) -> bool:
        """Fold a piece of evidence; say whether the state moved."""
        before = self.view
        self.view = fold(before, evidence)
        if self.view.state is before.state:
            return False
        self.steps.append(self.view.state)
        return True


class Book:
    """Every intent that may still move, and those of the last days that may be heard of."""

    def __init__(self) -> None:
        self._by_id: dict[UUID, Tracked] = {}
        self._by_ref: dict[str, Tracked] = {}
        self._by_perm: dict[int, Tracked] = {}
        self._by_order: dict[tuple[int, int], Tracked] = {}

    def __iter__(self) -> Iterator[Tracked]:
        return iter(list(self._by_id.values()))

    def get(self, intent_id: UUID | None) -> Tracked | None:
        """Return an intent by its id."""
        return None if intent_id is None else self._by_id.get(intent_id)

    def add(self, tracked: Tracked) -> None:
        """Track an intent; its ids are known from now on."""
        self._by_id[tracked.id] = tracked
        if tracked.kind is not IntentKind.new:
            return
        self._by_ref[tracked.row["order_ref"]] = tracked
        self._by_order[tracked.client_id, tracked.order_id] = tracked
        if tracked.view.perm_id:
            self._by_perm[tracked.view.perm_id] = tracked

    def match(self, heard: Heard, *, client_id: int) -> Tracked | None:
        """Return whose `heard` is, or None: an order that is not ours."""
        found = self._by_ref.get(heard.order_ref) if heard.order_ref else None
        if found is None and heard.perm_id:
            found = self._by_perm.get(heard.perm_id)
        if found is None and not heard.order_ref and heard.order_id > 0:
            asked = client_id if heard.client_id < 0 else heard.client_id
            found = self._by_order.get((asked, heard.order_id))
            if found is not None and not _fits(found, heard):
                return None
        if found is not None and heard.perm_id:
            self._by_perm.setdefault(heard.perm_id, found)
        return found

    def highest_known(self) -> int:
        """Return the highest order id that IB is known to have taken; 0: none."""
        taken = (each.order_id for each in self._by_id.values() if each.view.perm_id)
        return max(taken, default=0)

    def working(self) -> list[Tracked]:
        """Return the orders that may be live at IB."""
        return [
            each
            for each in self._by_id.values()
            if each.kind is IntentKind.new and each.state in WORKING
        ]

    def changes_of(self, target: UUID) -> list[Tracked]:
        """Return the changes and cancels of an order that have not ended."""
        return [
            each
            for each in self._by_id.values()
            if each.row["target_id"] == target and each.state not in TERMINAL
        ]


def note_live(tracked: Tracked, heard: Heard) -> bool:
    """Note which permanent ids live; say whether this made a second one for the intent."""
    if not heard.perm_id or heard.kind not in {EvidenceKind.open, EvidenceKind.status}:
        return False
    known = tracked.live.get(heard.perm_id)
    tracked.live[heard.perm_id] = heard.status not in _DEAD
    return known is None and sum(tracked.live.values()) > 1


def tracked_from(row: Mapping[str, Any], fills: list[Fill], *, quantity: Decimal) -> Tracked:
    """Return an intent as its rows tell."""
    view = OrderView(
        state=IntentState(row["state"]),
        quantity=quantity,
        kind=IntentKind(row["kind"]),
        perm_id=row["perm_id"],
        fills=MappingProxyType(_newest(fills)),
        reason=row["reason"],
    )
    made = Tracked(row["id"], view, row, row["order_id"], row["client_id"], row["submitting_at"])
    made.told_unknown = view.state is IntentState.unknown  # by an earlier start
    return made


def _newest(fills: list[Fill]) -> dict[str, Fill]:
    return {fill.base: fill for fill in sorted(fills, key=lambda fill: fill.revision)}


def _fits(tracked: Tracked, heard: Heard) -> bool:
    row = tracked.row
    wrong_account = bool(heard.account) and heard.account != row["account"]
    wrong_side = bool(heard.side) and heard.side != row["side"]
    perm = tracked.view.perm_id
    other_order = bool(
        heard.perm_id and perm and heard.perm_id != perm and tracked.state in TERMINAL
    )
    return not (wrong_account or wrong_side or other_order)
