"""The incident of an unknown order ends when it is known, whichever start told it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ibcore.clock import utcnow
from ibcore.incidents import IncidentKind
from ibcore.order_states import Evidence, EvidenceKind, OrderWord
from sidecar.orders.book import tracked_from
from sidecar.orders.ledger import entries_of, word

ROW: dict[str, Any] = {
    "id": UUID(int=1), "state": "unknown", "kind": "new", "perm_id": None, "reason": "absent",
    "order_id": 5, "client_id": 12, "submitting_at": utcnow(), "side": "BUY", "symbol": "SPY",
    "quantity": Decimal(5), "account": "DU1234567",
}  # fmt: skip


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(EvidenceKind.open, status="Submitted"),
        Evidence(EvidenceKind.error, word=OrderWord.rejected, text="IB 201"),
    ],
)
def test_an_unknown_order_of_an_earlier_start_is_told_to_be_over(evidence: Evidence) -> None:
    tracked = tracked_from(ROW, [], quantity=Decimal(5))
    assert tracked.take(evidence)
    entries = entries_of(tracked, word(evidence.kind, tracked, ""))
    (over,) = [entry.over for entry in entries if entry.over is not None]
    assert over[:2] == (IncidentKind.order_unknown, str(UUID(int=1)))
