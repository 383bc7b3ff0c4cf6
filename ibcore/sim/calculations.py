"""Sums on request: an option's volatility from its price (54), its price from a volatility (55)."""

from __future__ import annotations

from typing import Final

import numpy as np

from ibcore.sim import computations, options, refusals, wire
from ibcore.sim.datarequests import Calculation
from ibcore.sim.refusals import Context
from ibcore.sim.session import Session

_CUSTOM: Final = 53  # CUST_OPTION_COMPUTATION
_FROM_PRICE: Final = 54


def calculate(context: Context, session: Session, request: Calculation) -> None:
    """Answer calculateImpliedVolatility or calculateOptionPrice with message 21, tick type 53."""
    contract = refusals.resolve(context, session, request.req_id, request.spec)
    if contract is None:
        return
    if not contract.is_option or request.spot <= 0 or request.given <= 0:
        cause = "Security type must be OPT" if not contract.is_option else "Invalid price"
        refusals.refuse(session, request.req_id, cause)
        return
    terms = computations.terms([contract], request.spot, context.source.moment())
    volatility = np.array([request.given])
    if request.msg_id == _FROM_PRICE:
        volatility = options.implied_vol(terms, volatility)
    if np.isnan(volatility[0]):
        text = "Invalid price: no volatility explains it"
        refusals.refuse(session, request.req_id, text)
        return
    [row] = computations.rows(terms, volatility, price_based=False)
    session.send(wire.tick_computation(request.req_id, _CUSTOM, row))
