"""What IB says of each tick type: its name, what switches it on, when it comes, what it means.

The other half of `sidecar.ticks`, which says what we do with a type; a test holds both to the same
numbers, and docs/ticks.md to both. `generic` is the number in the generic tick list of a request;
0: comes with every line. Sources: IB's tick type table; ib_async 2.0.1 wrapper.py:82-147.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Words(NamedTuple):
    """One live tick type in words."""

    name: str
    generic: int
    meaning: str


_PACE: Final = "at each change, sampled: 250 ms stocks and futures, 100 ms US options, 5 ms FX"
_ROWS: Final = (
    (0, "bidSize", 0, f"size at the best bid; {_PACE}"),
    (1, "bid", 0, "best bid, its size in the same message; -1 under size 0: nobody"),
    (2, "ask", 0, "best ask, its size in the same message; -1 under size 0: nobody"),
    (3, "askSize", 0, f"size at the best ask; {_PACE}"),
    (4, "last", 0, "last price, its size in the same message; sampled as the quotes are"),
    (5, "lastSize", 0, "size of the last print; echoes what came with the price"),
    (6, "high", 0, "high of the day"),
    (7, "low", 0, "low of the day"),
    (8, "volume", 0, "volume of the day"),
    (9, "close", 0, "close of the day before"),
    (10, "bidGreeks", 0, "computation at the bid (options)"),
    (11, "askGreeks", 0, "computation at the ask (options)"),
    (12, "lastGreeks", 0, "computation at the last price (options)"),
    (13, "modelGreeks", 0, "computation of IB's model (options)"),
    (14, "open", 0, "open of the day"),
    (15, "low13week", 165, "lowest price of 13 weeks"),
    (16, "high13week", 165, "highest price of 13 weeks"),
    (17, "low26week", 165, "lowest price of 26 weeks"),
    (18, "high26week", 165, "highest price of 26 weeks"),
    (19, "low52week", 165, "lowest price of 52 weeks"),
    (20, "high52week", 165, "highest price of 52 weeks"),
    (21, "avVolume", 165, "average daily volume of 90 days"),
    (22, "openInterest", 0, "open interest; IB no longer sends it"),
    (23, "histVolatility", 104, "volatility of 30 days"),
    (24, "impliedVolatility", 106, "implied volatility of 30 days, from the options"),
    (25, "optionBidExch", 0, "exchanges at an option's bid; IB no longer sends it"),
    (26, "optionAskExch", 0, "exchanges at an option's ask; IB no longer sends it"),
    (27, "callOpenInterest", 101, "open interest of the calls; on a call's line its own"),
    (28, "putOpenInterest", 101, "open interest of the puts; on a put's line its own"),
    (29, "callVolume", 100, "volume of the calls of the day"),
    (30, "putVolume", 100, "volume of the puts of the day"),
    (31, "indexFuturePremium", 162, "points of the future above its index; may be negative"),
    (32, "bidExchange", 0, "exchanges at the bid"),
    (33, "askExchange", 0, "exchanges at the ask"),
    (34, "auctionVolume", 225, "shares that would trade in the auction now"),
    (35, "auctionPrice", 225, "price at which the auction would clear now"),
    (36, "auctionImbalance", 225, "shares unmatched in the auction; may be negative"),
    (37, "markPrice", 232, "mark price, by which IB values a position"),
    (45, "lastTimestamp", 0, "time of the last print; comes before or after it"),
    (46, "shortable", 236, "how easily the shares can be borrowed"),
    (47, "fundamentalRatios", 258, "ratios, NAME=VALUE; IB no longer serves them"),
    (48, "rtVolume", 233, "price;size;ms;volume;vwap;single: each print, exchange time"),
    (49, "halted", 0, "-1: unknown, NULL; 0 is a fact; sent as it changes"),
    (50, "bidYield", 0, "yield at the bid (bonds)"),
    (51, "askYield", 0, "yield at the ask (bonds)"),
    (52, "lastYield", 0, "yield at the last price (bonds)"),
    (53, "custGreeks", 0, "computation by the user's own model in TWS"),
    (54, "tradeCount", 293, "trades of the day"),
    (55, "tradeRate", 294, "trades of a minute"),
    (56, "volumeRate", 295, "volume of a minute"),
    (57, "lastRthTrade", 318, "last price within regular hours"),
    (58, "rtHistVolatility", 411, "volatility of 30 days, kept up to the moment"),
    (59, "dividends", 456, "paid in 12 months, expected in 12, next date, next amount"),
    (60, "bondFactorMultiplier", 460, "share of the principal still outstanding"),
    (61, "regulatoryImbalance", 225, "imbalance that decides about an auction (NYSE)"),
    (62, "news", 292, "a headline"),
    (63, "volumeRate3Min", 595, "volume of the last 3 minutes (stocks)"),
    (64, "volumeRate5Min", 595, "volume of the last 5 minutes (stocks)"),
    (65, "volumeRate10Min", 595, "volume of the last 10 minutes (stocks)"),
    (77, "rtTradeVolume", 375, "as 48, without prints that do not make the last price"),
    (78, "creditmanMarkPrice", 0, "mark price of credit management"),
    (79, "creditmanSlowMarkPrice", 619, "the same, slower"),
    (84, "lastExchange", 0, "exchange of the last print"),
    (85, "lastRegTime", 0, "time of the last print in regulatory terms"),
    (86, "futuresOpenInterest", 588, "open interest of the future"),
    (87, "avOptionVolume", 105, "average daily volume of the options"),
    (89, "shortableShares", 236, "shares that can be borrowed"),
    (92, "etfNavClose", 578, "net asset value of an ETF at the close"),
    (93, "etfNavPriorClose", 578, "the same a day before"),
    (94, "etfNavBid", 576, "net asset value at the bids"),
    (95, "etfNavAsk", 576, "net asset value at the asks"),
    (96, "etfNavLast", 577, "net asset value at the last prices"),
    (97, "etfFrozenNavLast", 623, "the same for frozen data"),
    (98, "etfNavHigh", 614, "highest net asset value of the day"),
    (99, "etfNavLow", 614, "lowest net asset value of the day"),
    (100, "socialMarketAnalytics", 0, "sentiment of a vendor"),
    (101, "estimatedIpoMidpoint", 586, "middle of the range expected of an IPO"),
    (102, "finalIpoLast", 586, "price of an IPO"),
)
WORDS: Final = {number: Words(name, generic, meaning) for number, name, generic, meaning in _ROWS}
