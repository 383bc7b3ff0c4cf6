"""Risk before the wire: pure checks of one order against frozen facts and `now`.

    order + facts + now ──► assess ──► ()  accepted
                                  └──► (Refusal, …)  each names the limit, the value, the remedy

Limits are rows (`risk_limit`); what is not set is not checked, except that live trading needs
the flag, an allow-list, every limit of `REQUIRED_LIVE`, and an arming that has not expired.
What a limit needs and nobody knows (no quote, no profit and loss) is a refusal, never a pass.
"""

from __future__ import annotations

from ibcore.risk.account import is_paper
from ibcore.risk.assess import assess, assess_margin
from ibcore.risk.beside import Beside
from ibcore.risk.facts import (
    CLOSES_PARENT,
    Contract,
    Facts,
    Leg,
    Margin,
    MarginOutcome,
    Move,
    OrderType,
    ProposedOrder,
    Quote,
    Side,
)
from ibcore.risk.limits import LIMITS, REQUIRED_LIVE, Limits, parse_limit
from ibcore.risk.moves import closes_parent, effects
from ibcore.risk.refusal import Refusal

__all__ = [
    "CLOSES_PARENT",
    "LIMITS",
    "REQUIRED_LIVE",
    "Beside",
    "Contract",
    "Facts",
    "Leg",
    "Limits",
    "Margin",
    "MarginOutcome",
    "Move",
    "OrderType",
    "ProposedOrder",
    "Quote",
    "Refusal",
    "Side",
    "assess",
    "assess_margin",
    "closes_parent",
    "effects",
    "is_paper",
    "parse_limit",
]
