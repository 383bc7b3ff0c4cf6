"""What risk would say of a batch now, line by line, each after those before it.

A preview reserves nothing: the sidecar checks again, against committed facts, when it sends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row

from ibcore import db, risk_facts
from ibcore.batch.csv_file import BatchRefused
from ibcore.batch.submit import Batch, Order, intent_values, refuse_lost_children
from ibcore.clock import utcnow
from ibcore.risk import Beside, Facts, MarginOutcome, ProposedOrder, effects, is_paper
from ibcore.risk.exposure import notional_of
from ibcore.risk.refusal import shown

WHAT_IF: Final = "what_if"
_NOBODY: Final = UUID(int=0)
_COMBINATION: Final = {"con_id": None, "multiplier": None}


class Preview(NamedTuple):
    """One line as risk sees it; `notional` None: unknown. `margin` is IB's answer, if asked.

    `legs` says of each leg of a combination what it does to its contract.
    """

    line: int
    order: str
    notional: Decimal | None
    mid: Decimal | None
    refusals: tuple[str, ...]
    legs: tuple[str, ...] = ()
    margin: Mapping[str, Any] | None = None

    def as_row(self) -> dict[str, Any]:
        """Return it as a row of a table for people."""
        margin = self.margin or {}
        return {
            "line": self.line,
            "order": self.order,
            "notional": None if self.notional is None else float(round(self.notional, 2)),
            "mid": None if self.mid is None else float(self.mid),
            "legs": "; ".join(self.legs),
            "risk": "; ".join(self.refusals) or "accepted",
            "what-if": _what_if(margin),
            "initial margin after": _float(margin.get("initial_after")),
            "commission": _float(margin.get("commission")),
        }


async def rows_of(conn: db.Connection, batch: Batch) -> list[dict[str, Any]]:
    """Return each line as its intent's row will be, with what is known of its instrument."""
    ids = [order.instrument_id for order in batch.orders if order.instrument_id is not None]
    with db.translated():
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(db.QUERIES["batch_instrument"], {"ids": ids})
            known = {row.pop("id"): row for row in await cursor.fetchall()}
    return [
        intent_values(batch, order, number)
        | known.get(order.instrument_id, _COMBINATION)
        | _place(order)
        for number, order in enumerate(batch.orders, 1)
    ]


def _place(order: Order) -> dict[str, Any]:
    parent = order.line.parent
    family = f"line {parent}" if parent is not None else None
    return {"id": _NOBODY, "parent": parent, "parent_id": family}


async def preview(
    conn: db.Connection,
    batch: Batch,
    *,
    live_enabled: bool,
    margins: Sequence[Mapping[str, Any]] = (),
) -> list[Preview]:
    """Return what risk says of every line, as if those before it were sent and working."""
    refuse_lost_children(batch)
    now, beside = utcnow(), Beside()
    found: list[Preview] = []
    rows = await rows_of(conn, batch)
    for number, row in enumerate(rows, 1):
        with db.translated():
            facts = await risk_facts.gather(
                conn, row, live_enabled=live_enabled, stopped=None, managed=None, now=now
            )
        order = _proposed(rows, row)
        facts = beside.added_to(facts, order)
        refusals = tuple(
            str(refusal)
            for refusal in risk_facts.judge(order, facts, now=now)
            if not refusal.passing
        )
        margin = margins[number - 1] if number <= len(margins) else None
        if margin is not None and margin["outcome"] == "refused":
            refusals = (
                *refusals,
                f"margin_check: {margin['text']}; allowed: a what-if that passes.",
            )
        if not refusals:
            beside.add(order)
        mid = facts.quote.mid if facts.quote else None
        text = str(batch.orders[number - 1].line)
        worth, legs = notional_of(order, facts), tuple(_legs(order, facts))
        found.append(Preview(number, text, worth, mid, refusals, legs, margin))
    return found


def _legs(order: ProposedOrder, facts: Facts) -> Iterator[str]:
    """Yield each leg of a combination: side, contract, its quote, its position before and after."""
    if not order.legs:
        return
    for effect in effects(order, facts):
        contract = facts.contracts.get(effect.move.con_id)
        quote = contract.quote if contract is not None else None
        touch = f"{_price(quote.bid)}/{_price(quote.ask)}" if quote is not None else "no quote"
        held = "unknown" if effect.held is None else shown(effect.held)
        yield (
            f"{effect.move.side} {shown(effect.move.quantity)} {effect.name} at {touch},"
            f" {held} held, {shown(effect.after)} after"
        )


def _price(price: Decimal | None) -> str:
    return "-" if price is None else shown(price)


def _proposed(rows: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> ProposedOrder:
    parent = None if row["parent"] is None else risk_facts.proposed(rows[row["parent"] - 1])
    return risk_facts.proposed(row, parent=parent)


def totals(batch: Batch, found: Sequence[Preview]) -> str:
    """Return a batch in one line, for whoever approves it."""
    known = [each.notional for each in found if each.notional is not None]
    unknown = len(found) - len(known)
    kind = "paper" if is_paper(batch.account) else "LIVE"
    more = f", {unknown} of unknown worth" if unknown else ""
    return (
        f"{len(found)} orders for {kind} account {batch.account}, "
        f"{sum(known, Decimal(0)):,.2f} in all{more}"
    )


def refuse_refused(found: Sequence[Preview]) -> None:
    """Raise BatchRefused with every refusal: a batch goes whole or not at all."""
    refused = [f"line {each.line}: {text}" for each in found for text in each.refusals]
    if refused:
        raise BatchRefused(
            f"Risk refuses {len({text.partition(':')[0] for text in refused})} of "
            f"{len(found)} lines. " + " ".join(refused),
            remedy="Nothing was sent.",
        )


def what_if_payload(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the payload of the request `what_if`; numbers are text, so that they stay exact."""
    return {
        "orders": [
            {
                name: str(value) if isinstance(value, Decimal) else value
                for name, value in row.items()
                if name not in {"id", "not_before"}
            }
            for row in rows
        ]
    }


def _what_if(margin: Mapping[str, Any]) -> str:
    if margin.get("outcome") == MarginOutcome.closes_parent:
        return str(margin["text"])
    return str(margin.get("outcome", "not asked"))


def _float(text: str | None) -> float | None:
    return None if text is None else float(text)
