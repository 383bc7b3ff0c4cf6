"""The names that the simulated market knows: constants that a real gateway would look up.

Contract ids are IB's own where they are public knowledge. Prices are anchors for the model and
for strike grids, not claims about any day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Name:
    """One underlying: what its contract details say and what the model starts from."""

    number: int  # packed into the contract ids of its options; never reuse one
    symbol: str
    con_id: int
    long_name: str
    primary_exchange: str
    trading_class: str
    spot: float
    volatility: float  # a year
    beta: float
    industry: str
    category: str
    subcategory: str
    stock_type: str = "COMMON"
    min_tick: float = 0.01
    sec_type: str = "STK"
    exchange: str = "SMART"
    multiplier: str = ""


_TECH = "Technology"
_WEB = "Communications"

CATALOGUE: Final[dict[str, Name]] = {
    name.symbol: name
    for name in (
        Name(3, "AAPL", 265598, "APPLE INC", "NASDAQ", "NMS", 228.0, 0.26, 1.1,
             _TECH, "Computers", "Computers"),
        Name(4, "MSFT", 272093, "MICROSOFT CORP", "NASDAQ", "NMS", 470.0, 0.24, 1.0,
             _TECH, "Software", "Applications Software"),
        Name(5, "NVDA", 4815747, "NVIDIA CORP", "NASDAQ", "NMS", 182.0, 0.46, 1.7,
             _TECH, "Semiconductors", "Electronic Compo-Semicon"),
        Name(6, "AMZN", 3691937, "AMAZON.COM INC", "NASDAQ", "NMS", 222.0, 0.32, 1.2,
             _WEB, "Internet", "E-Commerce/Products"),
        Name(7, "GOOGL", 208813719, "ALPHABET INC-CL A", "NASDAQ", "NMS", 196.0, 0.30, 1.1,
             _WEB, "Internet", "Web Portals/ISP"),
        Name(8, "META", 107113386, "META PLATFORMS INC-CLASS A", "NASDAQ", "NMS", 640.0, 0.35, 1.3,
             _WEB, "Internet", "Internet Content-Entmnt"),
        Name(9, "TSLA", 76792991, "TESLA INC", "NASDAQ", "NMS", 330.0, 0.55, 1.9,
             "Consumer, Cyclical", "Auto Manufacturers", "Auto-Cars/Light Trucks"),
        Name(10, "AMD", 4391, "ADVANCED MICRO DEVICES", "NASDAQ", "SCM", 164.0, 0.48, 1.7,
             _TECH, "Semiconductors", "Electronic Compo-Semicon"),
        Name(11, "SPY", 756733, "STATE STREET SPDR S&P 500 ETF", "ARCA", "SPY", 605.0, 0.16, 1.0,
             "Funds", "Equity Fund", "Growth-Large Cap", "ETF"),
        Name(12, "QQQ", 320227571, "INVESCO QQQ TRUST SERIES 1", "NASDAQ", "NMS", 525.0, 0.21, 1.2,
             "Funds", "Equity Fund", "Growth-Large Cap", "ETF"),
        Name(13, "GOOG", 208813720, "ALPHABET INC-CL C", "NASDAQ", "NMS", 197.0, 0.30, 1.1,
             _WEB, "Internet", "Web Portals/ISP"),
        Name(14, "TAPE", 399000001, "RECORDED TAPE", "NASDAQ", "NMS", 443.0, 0.30, 1.0,
             "Simulated", "Recorded Ticks", "Recorded Ticks", min_tick=0.2),
        Name(15, "SPX", 416904, "S&P 500 Stock Index", "", "SPX", 6050.0, 0.15, 1.0,
             "Indices", "Broad Range Equity Index", "*", "", sec_type="IND", exchange="CBOE"),
        Name(16, "ES", 300000000, "E-mini S&P 500", "", "ES", 6060.0, 0.15, 1.0,
             "", "", "", "", min_tick=0.25, sec_type="FUT", exchange="CME", multiplier="50"),
        Name(17, "EUR", 12087792, "European Monetary Union Euro", "", "EUR.USD", 1.165, 0.075,
             0.1, "", "", "", "", min_tick=0.00005, sec_type="CASH", exchange="IDEALPRO"),
    )
}  # fmt: skip

DEFAULT_SYMBOLS: Final = (
    "AAPL",
    "MSFT",
    "NVDA",
    "AMZN",
    "GOOGL",
    "META",
    "TSLA",
    "AMD",
    "SPY",
    "QQQ",
)

# Listed beside the configured names: one of each other kind, so that clients can ask for one.
OTHER_SYMBOLS: Final = ("SPX", "ES", "EUR")

STOCK_EXCHANGES: Final = (
    "SMART,AMEX,NYSE,CBOE,PHLX,ISE,CHX,ARCA,NASDAQ,DRCTEDGE,BEX,BATS,EDGEA,BYX,IEX,EDGX,"
    "FOXRIVER,PEARL,NYSENAT,LTSE,MEMX,IBEOS,OVERNIGHT,TPLUS0,PSX"
)
OPTION_EXCHANGES: Final = (
    "SMART,AMEX,CBOE,PHLX,PSE,BOX,BATS,ISE,CBOE2,PEARL,NASDAQOM,NASDAQBX,MIAX,GEMINI,EDGX,"
    "EMERALD,MERCURY,MEMX"
)
STOCK_ORDER_TYPES: Final = (
    "ACTIVETIM,AD,ADDONT,ADJUST,ALERT,ALGO,ALLOC,AON,AVGCOST,BASKET,BENCHPX,CASHQTY,COND,"
    "CONDORDER,DARKONLY,DARKPOLL,DAY,DEACT,DEACTDIS,DEACTEOD,DIS,DUR,GAT,GTC,GTD,GTT,HID,IBKRATS,"
    "ICE,IMB,IOC,LIT,LMT,LOC,MIDPX,MIT,MKT,MOC,MTL,NGCOMB,NODARK,NONALGO,OCA,OPG,OPGREROUT,"
    "PEGBENCH,PEGMID,POSTATS,POSTONLY,PREOPGRTH,PRICECHK,REL,REL2MID,RELPCTOFS,RPI,RTH,SCALE,"
    "SCALEODD,SCALERST,SIZECHK,SMARTSTG,SNAPMID,SNAPMKT,SNAPREL,STP,STPLMT,SWEEP,TRAIL,TRAILLIT,"
    "TRAILLMT,TRAILMIT,WHATIF"
)
OPTION_ORDER_TYPES: Final = (
    "ACTIVETIM,AD,ADJUST,ALERT,ALGO,ALLOC,AON,AVGCOST,BASKET,COND,CONDORDER,DAY,DEACT,DEACTDIS,"
    "DEACTEOD,DIS,FOK,GAT,GTC,GTD,GTT,HID,ICE,IOC,LIT,LMT,MIT,MKT,MTL,NGCOMB,NONALGO,OCA,OPENCLOSE,"
    "PEGMIDVOL,PEGMKTVOL,PEGPRMVOL,PEGSRFVOL,PRICECHK,REL,RELPCTOFS,RELSTK,SCALE,SCALERST,SIZECHK,"
    "SMARTSTG,SNAPMID,SNAPMKT,SNAPREL,STP,STPLMT,TRAIL,TRAILLIT,TRAILLMT,TRAILMIT,VOLAT,WHATIF"
)
INDEX_OPTION_EXCHANGES: Final = "SMART,CBOE"
FUTURE_ORDER_TYPES: Final = (
    "ACTIVETIM,AD,ADJUST,ALERT,ALGO,ALLOC,AVGCOST,BASKET,BENCHPX,COND,CONDORDER,DAY,DEACT,DEACTDIS,"
    "DEACTEOD,GAT,GTC,GTD,GTT,HID,ICE,IOC,LIT,LMT,LTH,MIT,MKT,MTL,NGCOMB,NONALGO,OCA,PEGBENCH,"
    "SCALE,SCALERST,SNAPMID,SNAPMKT,SNAPREL,STP,STPLMT,TRAIL,TRAILLIT,TRAILLMT,TRAILMIT,WHATIF"
)
CASH_ORDER_TYPES: Final = (
    "ACTIVETIM,AD,ADJUST,ALERT,ALGO,ALLOC,AVGCOST,BASKET,CASHQTY,COND,CONDORDER,DAY,DEACT,DEACTDIS,"
    "DEACTEOD,GAT,GTC,GTD,GTT,HID,IOC,LIT,LMT,MIT,MKT,NONALGO,OCA,REL,RELPCTOFS,SCALE,SCALERST,STP,"
    "STPLMT,TRAIL,TRAILLIT,TRAILLMT,TRAILMIT,WHATIF"
)
