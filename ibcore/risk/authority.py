"""May anything be sent at all: kill switch, account, live trading, instrument."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ibcore.risk.account import is_paper
from ibcore.risk.facts import Facts, ProposedOrder
from ibcore.risk.refusal import Refusal, raise_limit


def kill_switch(_order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse everything while any of the switches is on."""
    if facts.stopped is not None:
        yield Refusal(
            "kill_switch",
            facts.stopped,
            "off",
            "See `ibkeeper kill-switch show`; lift it: ibkeeper kill-switch off --by NAME "
            "--reason TEXT.",
        )


def readable(_order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse everything while a limit cannot be read: nobody knows what it would say."""
    for name in facts.limits.unreadable:
        yield Refusal(
            name.partition(" ")[0], f"unreadable: {name}", "a value that can be read",
            "Set it again: ibkeeper limits set NAME VALUE.",
        )  # fmt: skip


def account(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse accounts that the gateway does not have or that nobody allowed."""
    if facts.managed is not None and order.account not in facts.managed:
        yield Refusal(
            "managed_accounts", order.account, _listed(facts.managed),
            "Name an account of the connected gateway, or connect the right gateway.",
        )  # fmt: skip
    allowed = facts.limits.allowed_accounts
    if allowed is not None and order.account not in allowed:
        yield Refusal(
            "allowed_accounts", order.account, _listed(allowed),
            f"Allow it: ibkeeper limits set allowed_accounts {order.account},….",
        )  # fmt: skip


def live(order: ProposedOrder, facts: Facts, now: datetime) -> Iterator[Refusal]:
    """Refuse a live account unless flag, every required limit and an arming are there."""
    if is_paper(order.account):
        return
    if not facts.live_enabled:
        yield Refusal(
            "live_trading", f"{order.account} is no paper account (DU…, DF…)", "paper only",
            "Use a paper account, or set IBKEEPER_ORDERS__LIVE=true and follow docs/operations.md.",
        )  # fmt: skip
    for name in facts.limits.missing_live:
        yield Refusal(
            name, "not set", "live trading needs it",
            f"Set it: ibkeeper limits set {name} VALUE --account {order.account}.",
        )  # fmt: skip
    if facts.armed_until is None or facts.armed_until <= now:
        since = "never" if facts.armed_until is None else f"until {facts.armed_until:%F %T %Z}"
        yield Refusal(
            "arming", f"armed {since}", "armed now",
            f"A person arms it for a while: ibkeeper arm {order.account} --for 8h --by NAME.",
        )  # fmt: skip


def instrument(order: ProposedOrder, facts: Facts, _now: datetime) -> Iterator[Refusal]:
    """Refuse what is denied, and what is not allowed where only some are; each leg as well."""
    denied, allowed = facts.limits.denied_instruments, facts.limits.allowed_instruments
    if denied is None and allowed is None:
        return
    for called, names in _traded(order, facts):
        if not names:
            name = "denied_instruments" if allowed is None else "allowed_instruments"
            yield Refusal(name, f"{called}: nobody knows what it is", "a contract that is known",
                          "Submit it as a line of a batch, which looks its legs up.")  # fmt: skip
        elif denied is not None and denied & names:
            yield Refusal(
                "denied_instruments", called, f"all but {_listed(denied)}",
                raise_limit("denied_instruments", order.account),
            )  # fmt: skip
        elif allowed is not None and not allowed & names:
            yield Refusal(
                "allowed_instruments", called, _listed(allowed),
                raise_limit("allowed_instruments", order.account),
            )  # fmt: skip


def _traded(order: ProposedOrder, facts: Facts) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the order's instrument and its legs: what they are called, and their names."""
    own = "" if order.legs else f" (con id {order.con_id})"
    names = _names(order.symbol, order.sec_type, order.con_id)
    yield f"{order.symbol}:{order.sec_type}{own}", names
    for leg in order.legs:
        known = facts.contracts.get(leg.con_id)
        if known is None or not known.sec_type:
            yield f"a leg (con id {leg.con_id})", frozenset()
            continue
        names = _names(known.symbol, known.sec_type, leg.con_id)
        yield f"its leg {known.name} (con id {leg.con_id})", names


def _names(symbol: str, sec_type: str, con_id: int) -> frozenset[str]:
    symbol, kind = symbol.upper(), sec_type.upper()
    return frozenset({symbol, f"{symbol}:{kind}", f"*:{kind}", str(con_id)})


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"
