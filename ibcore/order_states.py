"""The states of an order intent, and how evidence moves them: a fold over what IB said.

    intent ─► submitting ─► sent ─► acked ─► partial ─► filled
       │          └───────────┴───────┴─────────┴─► cancelled | rejected | expired | unknown | …
       └─► refused | expired | cancelled

docs/states.md has the table. Terminal states are sticky, but a late fill beats them: money moved.
`unknown` is left by evidence or by a named person only, and nothing is ever sent again by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from ibcore.domain import StrEnum, may_move

ZERO: Final = Decimal(0)


class IntentState(StrEnum):
    """What is known of an intent; drawn in docs/states.md."""

    intent = "intent"
    refused = "refused"
    submitting = "submitting"
    sent = "sent"
    acked = "acked"
    partial = "partial"
    filled = "filled"
    cancelled = "cancelled"
    rejected = "rejected"
    expired = "expired"
    not_sent = "not_sent"
    done = "done"
    unknown = "unknown"


class IntentKind(StrEnum):
    """A new order, or a change or cancel of one: an intent of its own."""

    new = "new"
    modify = "modify"
    cancel = "cancel"


class EvidenceKind(StrEnum):
    """Where a piece of evidence comes from; the kinds of `order_event`.

    `submitting`, `sent`: we, before and after the frame. `open`, `status`, `execution`,
    `commission`, `completed`, `error`: IB. `absent`: a full reconciliation did not find it.
    `refused`, `expired`: risk and time. `operator`: a named person. `external`: an order that is
    not ours. `doubled`: a second live order for one intent. `rollback`: IB's next id went back.
    `what_if`: what the order would tie up, asked before it went; it moves nothing.
    """

    submitting = "submitting"
    sent = "sent"
    not_sent = "not_sent"
    open = "open"
    status = "status"
    execution = "execution"
    commission = "commission"
    completed = "completed"
    error = "error"
    absent = "absent"
    refused = "refused"
    expired = "expired"
    operator = "operator"
    external = "external"
    doubled = "doubled"
    rollback = "rollback"
    what_if = "what_if"


S = IntentState
_LATE: Final = frozenset({S.partial, S.filled})
_ENDS: Final = frozenset({S.cancelled, S.rejected, S.expired, S.unknown})
INTENT_TRANSITIONS: Final[Mapping[IntentState, frozenset[IntentState]]] = {
    S.intent: frozenset({S.submitting, S.refused, S.expired, S.cancelled}),
    S.submitting: frozenset({S.sent, S.acked, S.not_sent, S.done}) | _LATE | _ENDS,
    S.sent: frozenset({S.acked, S.not_sent, S.done}) | _LATE | _ENDS,
    S.acked: _LATE | _ENDS,
    S.partial: frozenset({S.filled}) | _ENDS,
    S.unknown: frozenset({S.acked, S.not_sent, S.done}) | _LATE | (_ENDS - {S.unknown}),
    S.cancelled: _LATE,
    S.rejected: _LATE,
    S.expired: _LATE,
    S.not_sent: frozenset({S.acked}) | _LATE,
    S.filled: frozenset(),
    S.refused: frozenset(),
    S.done: frozenset(),
}
TERMINAL: Final = frozenset(
    {S.refused, S.filled, S.cancelled, S.rejected, S.expired, S.not_sent, S.done}
)
WORKING: Final = frozenset({S.submitting, S.sent, S.acked, S.partial, S.unknown})

# IB's words; what is not here (PendingSubmit, ApiPending, Inactive) proves nothing by itself.
_LIVE: Final = frozenset({"PreSubmitted", "Submitted", "PendingCancel"})
_CANCELLED: Final = frozenset({"Cancelled", "ApiCancelled"})


class Fill(NamedTuple):
    """One execution, or a correction of it: the highest revision of a base counts."""

    base: str
    revision: int
    quantity: Decimal
    price: Decimal


class OrderWord(StrEnum):
    """What an IB message code means for the order it names; `ibcore.notices` has the codes."""

    warning = "warning"
    cancelled = "cancelled"
    cancel_refused = "cancel_refused"
    rejected = "rejected"
    unclear = "unclear"


class Evidence(NamedTuple):
    """One thing that is known about an intent."""

    kind: EvidenceKind
    status: str | None = None
    filled: Decimal | None = None
    perm_id: int | None = None
    fill: Fill | None = None
    word: OrderWord | None = None
    text: str | None = None
    state: IntentState | None = None


@dataclass(frozen=True, slots=True)
class OrderView:
    """An intent as far as the evidence goes."""

    state: IntentState
    quantity: Decimal
    kind: IntentKind = IntentKind.new
    perm_id: int | None = None
    fills: Mapping[str, Fill] = field(default_factory=lambda: MappingProxyType({}))
    reason: str | None = None

    @property
    def filled(self) -> Decimal:
        """Return how much was executed, each execution once and as corrected."""
        return sum((fill.quantity for fill in self.fills.values()), ZERO)

    @property
    def average_price(self) -> Decimal | None:
        """Return the average price of what was executed."""
        if not (filled := self.filled):
            return None
        return sum((f.quantity * f.price for f in self.fills.values()), ZERO) / filled


def split_exec_id(exec_id: str) -> tuple[str, int]:
    """Return base and revision: IB corrects `….01.01` by `….01.02`."""
    base, _, last = exec_id.rpartition(".")
    return (base, int(last)) if base and last.isdigit() else (exec_id, 0)


def fold(view: OrderView, evidence: Evidence) -> OrderView:
    """Return what is known after `evidence`; some of it twice changes nothing."""
    after = _with_fill(view, evidence.fill)
    if evidence.perm_id and after.perm_id is None:
        after = replace(after, perm_id=evidence.perm_id)
    wanted = _wanted(after, evidence)
    if wanted is None or wanted is after.state or not _may(after, wanted, evidence):
        return after
    return replace(after, state=wanted, reason=evidence.text or after.reason)


def _with_fill(view: OrderView, fill: Fill | None) -> OrderView:
    if fill is None:
        return view
    known = view.fills.get(fill.base)
    if known is not None and known.revision >= fill.revision:
        return view
    return replace(view, fills=MappingProxyType({**view.fills, fill.base: fill}))


def _may(view: OrderView, wanted: IntentState, evidence: Evidence) -> bool:
    if view.state is S.not_sent and wanted is S.acked and evidence.kind is EvidenceKind.sent:
        return False
    return may_move(INTENT_TRANSITIONS, view.state, wanted)


def _wanted(view: OrderView, evidence: Evidence) -> IntentState | None:
    match evidence.kind:
        case EvidenceKind.sent:
            return S.sent
        case EvidenceKind.execution:
            return _by_fills(view)
        case EvidenceKind.open | EvidenceKind.status | EvidenceKind.completed:
            return _by_status(view, evidence)
        case EvidenceKind.error:
            return _by_word(view, evidence.word)
        case _:
            return evidence.state


def _by_fills(view: OrderView) -> IntentState | None:
    if view.filled >= view.quantity:
        return S.filled
    return S.partial if view.filled > 0 and view.state not in TERMINAL else None


def _by_status(view: OrderView, evidence: Evidence) -> IntentState | None:
    filled = max(view.filled, evidence.filled or ZERO)
    if evidence.status == "Filled" or filled >= view.quantity:
        return S.filled
    if evidence.status in _CANCELLED:
        return S.cancelled
    if evidence.status in _LIVE:
        return S.partial if filled > 0 else S.acked
    return None


def _by_word(view: OrderView, word: OrderWord | None) -> IntentState | None:
    if word is OrderWord.cancelled:
        return S.cancelled
    # Refused once it works means that a change was refused: the order is as it was.
    if word is OrderWord.rejected and view.state in {S.submitting, S.sent, S.unknown}:
        return S.rejected
    return None
