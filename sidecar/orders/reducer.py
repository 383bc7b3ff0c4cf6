"""From a word of IB's to evidence: whose it is, what it moves, and what else follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ibcore.clock import utcnow
from ibcore.incidents import Incident, IncidentKind
from ibcore.log import get_logger
from ibcore.notices import order_word
from ibcore.order_states import (
    TERMINAL,
    Evidence,
    EvidenceKind,
    Fill,
    IntentKind,
    IntentState,
    OrderWord,
    split_exec_id,
)
from sidecar.orders.book import Book, Tracked, note_live
from sidecar.orders.changes import ending_of_cancel, took_effect
from sidecar.orders.heard import Heard
from sidecar.orders.ledger import WHO, Entry, Ledger, entries_of, word

log = get_logger(__name__)

_FOREIGN = frozenset({EvidenceKind.open, EvidenceKind.completed, EvidenceKind.execution})


class Reducer:
    """Moves the book by what is heard, and tells the ledger."""

    def __init__(
        self, book: Book, ledger: Ledger, *, client_id: int, doubt: Callable[[str], None]
    ) -> None:
        self._book = book
        self._ledger = ledger
        self._client_id = client_id
        self._doubt = doubt
        self._foreign: set[tuple[int, str]] = set()

    def take(self, heard: Heard) -> None:
        """Take one word."""
        if heard.kind is EvidenceKind.commission:
            self._ledger.add(Entry(heard))
            return
        tracked = self._book.match(heard, client_id=self._client_id)
        if tracked is None:
            self._not_ours(heard)
            return
        tracked.seen = tracked.seen or heard.kind is not EvidenceKind.error
        tracked.absent_at = None if tracked.seen else tracked.absent_at
        if note_live(tracked, heard):
            self._doubled(tracked, heard)
        evidence = _evidence(tracked, heard)
        tracked.take(evidence)
        self._follow(tracked, heard, evidence)
        for entry in entries_of(tracked, heard):
            self._ledger.add(entry)

    def settle(self, target: Tracked) -> None:
        """End the cancels and changes of an order that has ended."""
        if target.kind is not IntentKind.new or target.state not in TERMINAL:
            return
        for change in self._book.changes_of(target.id):
            if change.kind is IntentKind.cancel:
                ending = ending_of_cancel(target.state)
            else:
                ending = (IntentState.rejected, f"the order was {target.state} first")
            if ending is not None:
                self._end(change, *ending)

    def note_rollback(self, next_id: int, high: int) -> None:
        """Note that the gateway would give old ids again; ours go on above."""
        text = f"the gateway's next order id is {next_id}, ids up to {high} were given out"
        log.warning("order_ids_went_back", next=next_id, high=high)
        self._ledger.add(Entry(Heard(EvidenceKind.rollback, utcnow(), next_id, text=text)))
        self._tell(IncidentKind.order_id_rollback, str(self._client_id), text)

    def _follow(self, tracked: Tracked, heard: Heard, evidence: Evidence) -> None:
        if heard.kind is EvidenceKind.open:
            self._changed(tracked, heard)
        if evidence.word is not None:
            self._refused(tracked, heard, evidence.word)
        self.settle(tracked)

    def _changed(self, tracked: Tracked, heard: Heard) -> None:
        for change in self._book.changes_of(tracked.id):
            terms = change.row.get("terms")
            if change.kind is IntentKind.modify and terms and took_effect(heard, terms):
                tracked.view = replace(tracked.view, quantity=terms["quantity"])
                tracked.row = {**terms, "order_ref": tracked.row["order_ref"]}
                self._end(change, IntentState.done, "the order has the new terms")

    def _refused(self, tracked: Tracked, heard: Heard, said: OrderWord) -> None:
        kinds: set[IntentKind] = set()
        if said is OrderWord.cancel_refused:
            kinds = {IntentKind.cancel}
        elif said is OrderWord.rejected and tracked.state is not IntentState.rejected:
            kinds = {IntentKind.modify}
        for change in self._book.changes_of(tracked.id):
            if change.kind in kinds:
                self._end(change, IntentState.rejected, heard.text)
        if kinds or said is OrderWord.unclear:
            self._doubt(f"IB said {heard.code} about order {heard.order_id}")

    def _end(self, change: Tracked, state: IntentState, text: str) -> None:
        change.take(Evidence(EvidenceKind.absent, state=state, text=text))
        for entry in entries_of(change, word(EvidenceKind.status, change, text)):
            self._ledger.add(entry)

    def _doubled(self, tracked: Tracked, heard: Heard) -> None:
        text = f"two live orders of one intent: permanent ids {sorted(tracked.live)}"
        log.error("order_doubled", intent=str(tracked.id), perm_ids=sorted(tracked.live))
        self._ledger.add(Entry(heard._replace(kind=EvidenceKind.doubled, text=text), tracked))
        self._tell(IncidentKind.order_doubled, str(tracked.id), text)
        self._doubt("a second live order")

    def _not_ours(self, heard: Heard) -> None:
        key = (heard.perm_id, heard.execution.exec_id if heard.execution else heard.status)
        if heard.kind not in _FOREIGN or key in self._foreign:
            return
        self._foreign.add(key)
        text = f"{heard.side} of {heard.account} by client {heard.client_id}: {heard.status}"
        self._ledger.add(Entry(heard._replace(kind=EvidenceKind.external, text=text)))
        if heard.kind is EvidenceKind.open:
            self._tell(IncidentKind.order_external, str(heard.perm_id), text)

    def _tell(self, kind: IncidentKind, about: str, text: str) -> None:
        self._ledger.add(Entry(incident=Incident(kind, about, text, WHO)))


def _evidence(tracked: Tracked, heard: Heard) -> Evidence:
    perm_id = heard.perm_id or None
    if heard.execution is not None:
        done = heard.execution
        if tracked.row["sec_type"] == "BAG" and done.sec_type != "BAG":
            return Evidence(EvidenceKind.commission, perm_id=perm_id)  # a leg is no fill of it
        base, revision = split_exec_id(done.exec_id)
        fill = Fill(base, revision, done.quantity, done.price)
        return Evidence(EvidenceKind.execution, perm_id=perm_id, fill=fill)
    if heard.code is not None:
        said = order_word(heard.code)
        return Evidence(EvidenceKind.error, word=said, text=f"IB {heard.code}: {heard.text}")
    status = heard.status or None
    return Evidence(heard.kind, status=status, filled=heard.filled, perm_id=perm_id)
