"""Takes chain snapshots on the sweep session: the handler of requests of kind `chain_snapshot`.

    underlying -> spot -> option class -> listed contracts -> the wanted ones, nearest the money
    first -> sweep -> instrument, chain_snapshot and chain_quote rows in one transaction

A snapshot in which no contract answered is a failure that says why that may be, and one that
cannot be done by its deadline is refused before it has taken a line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import anyio
import anyio.to_thread
from ib_async import IB, Contract, ContractDetails
from pydantic import ValidationError

from ibcore.calendar import is_open, trading_date
from ibcore.chain import ChainRequest
from ibcore.clock import monotonic, utcnow
from ibcore.db import Connection
from ibcore.domain import QuoteState
from ibcore.errors import NotReady, SessionLost
from ibcore.policy import LineBudget, Pacer
from sidecar import chain_plan, instruments
from sidecar.chain_listing import NOTHING_STORED, Listing
from sidecar.chain_plan import Cell
from sidecar.chain_quote import UNDERLYING, LineValues
from sidecar.chain_rows import Snapshot, Taken, store
from sidecar.chain_sweep import Line, Sweep
from sidecar.job import Done, Job, Progress
from sidecar.refusal import Refused
from sidecar.tap import LineTap

SESSION_S: Final = 10.0
SPOT_S: Final = 3.0
# 100: option volume, 101: open interest, 106: implied volatility.
OPTION_TICKS: Final = "100,101,106"


class ReadySession(Protocol):
    """A supervised session."""

    async def ready(self) -> IB:
        """Wait until the session is ready and return its client."""


class ChainSnapshots:
    """Takes one snapshot a call; calls may overlap and share pacer, budget and listing."""

    def __init__(
        self,
        session: ReadySession,
        tap: LineTap,
        *,
        pacer: Pacer,
        budget: LineBudget,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self._session = session
        self._now = now
        self._tap = tap
        self._pacer = pacer
        self._budget = budget
        self._listing = Listing(pacer)

    async def __call__(self, job: Job) -> Done:
        """Take the snapshot that `job` asks for."""
        began = monotonic()
        wanted = _wanted(job.payload)
        ib = await self._client()
        about = await self._listing.underlying(ib, wanted)
        underlying = _contract(about)
        spot = await self._spot(ib, underlying)
        chain = await self._listing.option_class(ib, underlying, wanted)
        today = trading_date(self._now())
        listed = await self._listing.contracts(
            ib, underlying, chain, today=today, expiries=wanted.expiries
        )
        cells = _cells(listed, spot, wanted)
        self._refuse_the_impossible(len(cells), job.ends_at - monotonic())
        taken = await self._sweep(ib, cells, listed, wanted=wanted, progress=job.progress)
        await _refuse_silence(taken, underlying.symbol)
        snapshot = Snapshot(
            underlying_con_id=underlying.conId,
            exchange=chain.exchange,
            trading_class=chain.trading_class,
            spot=spot,
            seconds=monotonic() - began,
            params=wanted.model_dump(mode="json"),
            taken=taken,
        )
        described = [about, *(listed[cell.con_id] for cell in cells)]
        return Done(_Writer(job, snapshot, described).write)

    async def _client(self) -> IB:
        with anyio.move_on_after(SESSION_S):
            return await self._session.ready()
        raise NotReady(
            f"The sweep session to the gateway was not ready within {SESSION_S:g} s.",
            remedy=f"{NOTHING_STORED} `ibkeeper status` says what the session waits for.",
        )

    async def _spot(self, ib: IB, contract: Contract) -> float:
        values = LineValues(wanted=UNDERLYING)
        await self._new_sweep(ib).run([Line(contract, values)], patience_s=SPOT_S)
        if (spot := values.spot()) is not None:
            return spot
        why = await _why_silent(values.refusal)
        raise Refused("no_price", f"{contract.symbol} has no price. {why}")

    def _refuse_the_impossible(self, contracts: int, left_s: float) -> None:
        floor_s = chain_plan.floor_s(contracts, messages_per_s=self._pacer.limit)
        if floor_s > left_s:
            raise Refused(
                "deadline_too_short",
                f"{contracts} contracts take at least {floor_s:.0f} s at {self._pacer.limit} "
                f"messages a second, and {max(left_s, 0):.0f} s are left.",
                remedy=f"{NOTHING_STORED} Ask for fewer strikes or expiries, or give more time.",
            )

    async def _sweep(
        self,
        ib: IB,
        cells: Sequence[Cell],
        listed: dict[int, ContractDetails],
        *,
        wanted: ChainRequest,
        progress: Progress,
    ) -> list[Taken]:
        taken = [Taken(cell, LineValues(right=cell.right)) for cell in cells]
        lines = [
            Line(_contract(listed[one.cell.con_id]), one.values, OPTION_TICKS) for one in taken
        ]
        progress.report(0, len(lines))
        try:
            await self._new_sweep(ib).run(
                lines, patience_s=wanted.contract_deadline_s, on_taken=progress.report
            )
        except SessionLost as lost:
            raise SessionLost(
                f"The session was lost with {progress.done} of {len(lines)} contracts taken.",
                remedy=f"{NOTHING_STORED} Run again; the sidecar reconnects by itself.",
            ) from lost
        return taken

    def _new_sweep(self, ib: IB) -> Sweep:
        return Sweep(ib, self._tap, pacer=self._pacer, budget=self._budget)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes a snapshot, inside the transaction that completes its request."""

    job: Job
    snapshot: Snapshot
    described: Sequence[ContractDetails]

    async def write(self, conn: Connection) -> dict[str, Any]:
        ids = await instruments.upsert(conn, self.described)
        snapshot_id = await store(conn, self.snapshot, request_id=self.job.id, instrument_ids=ids)
        return {
            "snapshot_id": str(snapshot_id),
            "spot": self.snapshot.spot,
            "seconds": round(self.snapshot.seconds, 3),
            "quality": self.snapshot.quality(),
            **self.snapshot.counts(),
        }


def _wanted(payload: dict[str, Any]) -> ChainRequest:
    try:
        return ChainRequest.model_validate(payload)
    except ValidationError as invalid:
        wrong = "; ".join(
            f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors()
        )
        raise Refused("invalid_request", f"{wrong}.", remedy=NOTHING_STORED) from None


def _contract(details: ContractDetails) -> Contract:
    if details.contract is None:
        raise TypeError("contract details without a contract")
    return details.contract


def _cells(listed: dict[int, ContractDetails], spot: float, wanted: ChainRequest) -> list[Cell]:
    cells = [
        Cell(con_id, one.lastTradeDateOrContractMonth[:8], one.strike, one.right[:1])
        for con_id, one in ((con_id, _contract(details)) for con_id, details in listed.items())
    ]
    chosen = chain_plan.choose_cells(
        cells, spot, count=wanted.strikes, window_percent=wanted.window_percent
    )
    if chosen:
        return chosen
    raise Refused(
        "no_contracts",
        f"No listed option of {wanted.underlying} lies in the window around {spot:g}.",
        remedy=f"{NOTHING_STORED} Widen the strike window or ask for more expiries.",
    )


async def _refuse_silence(taken: Sequence[Taken], symbol: str) -> None:
    if any(one.values.state() is not QuoteState.missing for one in taken):
        return
    refusals = [one.values.refusal for one in taken if one.values.refusal]
    why = await _why_silent(refusals[0] if refusals else "")
    raise Refused("empty_chain", f"None of {len(taken)} contracts of {symbol} has a quote. {why}")


async def _why_silent(refusal: str) -> str:
    if refusal:
        return f"{NOTHING_STORED} The gateway says: {refusal}"
    # In a thread: the first look loads pandas, a second in which no tick would be read.
    if await anyio.to_thread.run_sync(is_open, utcnow()):
        return f"{NOTHING_STORED} Check the market-data subscriptions of the user."
    return (
        f"{NOTHING_STORED} The market is closed; with IBKEEPER_GATEWAY__MARKET_DATA_TYPE=2 IB "
        "shows the last quotes of the session."
    )
