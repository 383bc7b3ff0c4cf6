"""Codes about orders. What each means for the order that it names is `order_word`'s to say."""

from __future__ import annotations

from typing import Final

from ibcore.notices.notice import Action, Notice, Scope, Severity, graded

_O = Scope.order

ORDER_CODES: Final[tuple[Notice, ...]] = (
    *graded(_O, Severity.warning, Action.note, """
        399 a word about the order
        404 shares to sell short are looked for: the order is held
        2102 the order is still being processed and cannot be changed
        2109 the attribute "outside regular hours" is ignored
        2137 the order is on the other side of a position
        2148 a word about the order's price or size
        2161 a word about the order
        2168 the attribute eTradeOnly is not supported
        2169 the attribute firmQuoteOnly is not supported
        10311 a directly routed order may cost more
        10349 the time in force was set by a preset"""),
    *graded(_O, Severity.info, Action.note, "202 the order is cancelled"),
    *graded(_O, Severity.warning, Action.fail_request, """
        135 no order with that id
        136 the order cannot be cancelled
        161 the order cannot be cancelled in its state
        10147 no order with that id to cancel
        10148 the order cannot be cancelled in its state"""),
    *graded(_O, Severity.error, Action.fail_request, """
        103 the order id was used before
        104 a filled order cannot be changed
        105 the change does not fit the order
        106 the order id cannot be transmitted
        107 the order is incomplete
        109 the price is outside the percentage allowed
        110 the price does not fit the smallest step
        111 time in force and order type do not fit
        113 the time in force must be DAY
        114 relative orders are for stocks only
        115 relative orders cannot go to that exchange
        116 the exchange is dead
        117 a block order is too small
        118 a VWAP order must go to VWAP
        119 only VWAP orders go to VWAP
        120 too late for a VWAP order
        121 the BD flag is invalid
        122 no request tag of that order
        125 the buy price must equal the best ask
        126 the sell price must equal the best bid
        127 linkage orders are not supported there
        128 linkage customers cannot send this order
        129 a VWAP order comes too shortly before its start
        131 sweep-to-fill and display size do not apply
        132 a clearing account is needed
        133 the new order was not submitted
        134 the change was not submitted
        137 too late to cancel a VWAP order
        140 the size is no integer
        141 the price is no number
        142 the institution has no account information
        144 the size does not match its allocation
        145 the entry fields are invalid
        146 the trigger method is invalid
        147 the contract of the condition is incomplete
        148 a conditional order must be limit or market
        151 a user name is needed
        152 the order may not be hidden
        153 EFPs can only be limit orders
        154 the security is halted
        155 a sizeOp order needs user name and account
        156 a sizeOp order must go to IBSX
        157 iceberg and discretionary exclude each other
        158 an offset is needed
        159 the offset must be 0 % to 100 %
        160 the size cannot be zero
        163 the price violates the percentage constraint
        164 no market data to check the price with
        167 the VWAP time must be in the future
        168 the discretionary amount does not fit the smallest step
        201 the order was rejected
        203 the security is not allowed for this account
        312 the combination is invalid
        313 a leg of the combination is invalid
        314 a combination needs legs
        315 stock legs go to SMART only
        318 advisors cannot change partly filled orders
        325 discretionary orders are not supported there
        327 only client id 0 binds orders of TWS
        328 a trailing stop cannot be attached to that order
        329 the order cannot be changed to that type
        332 the account codes of the profile are invalid
        333 the share allocation is invalid
        334 the good-till date is invalid
        335 the delta is invalid
        336 the time is invalid
        337 the date is invalid
        338 good-after-time orders are off there
        339 futures spreads must be combinations
        340 the improvement amount is invalid
        341 the delta is invalid
        342 pegged orders are not supported there
        343 the date is invalid
        345 advisors cannot send generic combinations
        347 the short sale slot is invalid
        348 a short sale slot needs a short sale
        349 the combination takes no good-after time
        350 the combination takes no minimum quantity
        351 "regular hours only" does not apply
        352 the short sale slot needs a location
        353 the short sale slot takes no location
        355 the size does not fit the market rule
        356 the combination takes no OCA group
        358 a smart combination takes no child
        359 the combination reduces without block only
        360 the combination takes no what-if
        361 the trigger price is invalid
        362 the adjusted stop price is invalid
        363 the adjusted stop limit is invalid
        364 the adjusted trailing amount is invalid
        367 the volatility type is invalid
        368 the reference price type is invalid
        369 volatility orders are for US options only
        370 dynamic volatility goes to SMART only
        371 a volatility order needs a volatility
        372 dynamic volatility needs a volatility order
        373 a stock range needs a volatility order
        374 the stock range is upside down
        375 the stock range is negative
        376 the order cannot be updated continuously
        377 the hedge's price is invalid
        378 the hedge needs a price
        379 the hedge takes no price
        380 the hedge's order type is not allowed
        382 the price violates the ticks constraint
        383 the size violates the size constraint
        387 the order type is not supported there
        388 the size is below the minimum
        389 the routed order id is not unique
        390 the routed order id is invalid
        391 the time is invalid
        392 the contract is expired
        393 a short sale slot is for hedges only
        394 the process time is invalid
        395 OCA groups are not taken at present
        396 only market and limit orders are taken at present
        397 only market and limit orders are taken at present
        398 this cannot be a condition
        400 the algorithm failed
        401 a text is too long
        402 conditions are not allowed for this contract
        403 the stop price is invalid
        405 the child must have its parent's quantity
        408 the scale's increment is invalid
        409 the scale needs a component size
        410 the scale's next component size is invalid
        411 "outside regular hours" does not apply
        412 the contract is not available for trading
        413 a what-if must be transmitted
        415 another request for quotes is under way
        416 a request for quotes does not apply
        417 the scale's first component size is invalid
        418 the scale's profit offset is invalid
        419 the scale needs a first component size
        421 the route is invalid
        422 account and clearing cannot be changed
        423 the request for quotes has expired
        424 an allocation is needed
        425 allocations by account are needed
        426 no account has enough shares
        427 a fund is bought by its value
        428 a fund is sold by its shares
        429 delta neutral orders are for combinations only
        432 the commission is negative
        433 the scale's restore size is invalid
        434 the size is zero
        435 an account is needed
        436 an allocation is needed
        437 one flag of the two only
        439 no such algorithm
        440 the algorithm cannot be changed
        441 the algorithm's attributes are invalid
        442 the algorithm is not allowed for this order
        443 the algorithm has no such attribute
        444 the combination is not acknowledged yet
        445 the request for quotes is over
        446 the scale needs a profit offset
        460 no permission to trade this
        461 no permission to trade this
        463 the order needs a market price
        10043 a bracket is incomplete
        10243 fractions of a share do not go with the API
        10268 the attribute eTradeOnly is not supported
        10269 the attribute firmQuoteOnly is not supported"""),
)  # fmt: skip
