"""The tables as SQLModel classes, split by noun; the migrations are the authority.

Types, nullability, defaults, keys, indexes and comments here equal what the migrations build:
a test compares them. CHECKs, triggers, views and partitions live in the migrations only.
"""

from __future__ import annotations

from ibcore.models.alert import Alert, SlaReport
from ibcore.models.authority import AccountState, Arming, KillSwitch, RiskLimit
from ibcore.models.backfill import BackfillBar, BackfillQuote, BackfillTrade, GapFill
from ibcore.models.bar import BarDay, BarQuoteKept, BarTradeKept
from ibcore.models.chain import ChainExpiry, ChainListing, ChainQuote, ChainSnapshot
from ibcore.models.column import METADATA, SCHEMA
from ibcore.models.drill import Drill, DrillStep
from ibcore.models.execution import Commission, Execution, Position, PositionBaseline
from ibcore.models.failover import ProviderSwitch
from ibcore.models.incident import Incident
from ibcore.models.ingest import (
    FeedGap,
    FeedMinute,
    IngestBatch,
    IngestOrder,
    RejectedTick,
    Sidecar,
    Sink,
)
from ibcore.models.instrument import Instrument, Watch
from ibcore.models.latest import QuoteLatest
from ibcore.models.line import LineCure, LineState
from ibcore.models.market import Greeks, InstrumentStat, Quote, Trade
from ibcore.models.order import OrderBatch, OrderEvent, OrderIdHigh, OrderIntent
from ibcore.models.request import Request, StateTransition
from ibcore.models.session import Session, SessionEvent

__all__ = [
    "METADATA",
    "SCHEMA",
    "AccountState",
    "Alert",
    "Arming",
    "BackfillBar",
    "BackfillQuote",
    "BackfillTrade",
    "BarDay",
    "BarQuoteKept",
    "BarTradeKept",
    "ChainExpiry",
    "ChainListing",
    "ChainQuote",
    "ChainSnapshot",
    "Commission",
    "Drill",
    "DrillStep",
    "Execution",
    "FeedGap",
    "FeedMinute",
    "GapFill",
    "Greeks",
    "Incident",
    "IngestBatch",
    "IngestOrder",
    "Instrument",
    "InstrumentStat",
    "KillSwitch",
    "LineCure",
    "LineState",
    "OrderBatch",
    "OrderEvent",
    "OrderIdHigh",
    "OrderIntent",
    "Position",
    "PositionBaseline",
    "ProviderSwitch",
    "Quote",
    "QuoteLatest",
    "RejectedTick",
    "Request",
    "RiskLimit",
    "Session",
    "SessionEvent",
    "Sidecar",
    "Sink",
    "SlaReport",
    "StateTransition",
    "Trade",
    "Watch",
]
