"""Takes chain snapshots on the sweep sessions: the handler of requests of kind `chain_snapshot`.

    underlying -> spot -> option class -> listed contracts -> the wanted ones, nearest the money
    first -> sweep -> forwards, our own greeks -> rows in the transaction that ends the request

A snapshot in which no contract answered is a failure that says why that may be, and one that
cannot be done by its deadline is refused before it has taken a line. A session that is lost half
way is waited for: what was taken stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import anyio
import anyio.to_thread
from ib_async import IB, Contract, ContractDetails
from pydantic import ValidationError

from ibcore.calendar import is_open, trading_date
from ibcore.chain import ChainRequest
from ibcore.clock import monotonic, utcnow
from ibcore.db import Connection
from ibcore.domain import QuoteState
from ibcore.parity import years_to
from ibcore.policy import LineBudget
from sidecar import chain_plan, instruments
from sidecar.chain_analysis import analyse, prepare
from sidecar.chain_archive import Archive, Listed
from sidecar.chain_lines import Line, Lines
from sidecar.chain_listing import NOTHING_STORED, Listing, Wanted, collapsed
from sidecar.chain_plan import Cell, ChainClass, Window
from sidecar.chain_quote import OPTION, OPTION_AND_INTEREST, UNDERLYING, LineValues
from sidecar.chain_reading import Lane, Reading
from sidecar.chain_rows import Cost, Snapshot, Taken, store
from sidecar.chain_sweep import Manner
from sidecar.instruments import expiry_of
from sidecar.job import Done, Job, Progress
from sidecar.refusal import Refused

SPOT_S: Final = 3.0
# 100: option volume, 101: open interest, 106: implied volatility.
OPTION_TICKS: Final = "100,101,106"
RIGHTS: Final = {"both": ("C", "P"), "C": ("C",), "P": ("P",)}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a request comes to: one class of options on one underlying at one price."""

    wanted: ChainRequest
    about: ContractDetails
    chain: ChainClass
    spot: float
    listed: Mapping[int, Listed]


class ChainSnapshots:
    """Takes one snapshot a call; calls may overlap and share pacers, budget and listing."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        *,
        budget: LineBudget,
        url: str,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self._lane = lanes[0]
        self._reading = Reading(lanes, budget)
        self._budget = budget
        self._listing = Listing(lanes[0].pacer, Archive(url))
        self._now = now

    async def __call__(self, job: Job) -> Done:
        """Take the snapshot that `job` asks for."""
        began = monotonic()
        wanted = _wanted(job.payload)
        chosen = await self._choose(await self._lane.client(), wanted)
        cells = await self._cells(chosen)
        self._refuse_the_impossible(len(cells), job.ends_at - monotonic())
        async with collapsed(), anyio.create_task_group() as beside:
            beside.start_soon(anyio.to_thread.run_sync, prepare, name="load the option model")
            taken, manner = await self._sweep(chosen, cells, job.progress)
        await _refuse_silence(taken, _contract(chosen.about).symbol)
        middles = [one.middle for one in taken]
        analysis = await anyio.to_thread.run_sync(
            lambda: analyse(middles, spot=chosen.spot, now=self._now())
        )
        snapshot = Snapshot(
            exchange=chosen.chain.exchange,
            trading_class=chosen.chain.trading_class,
            spot=chosen.spot,
            cost=self._cost(len(cells), manner, seconds=monotonic() - began),
            params=wanted.model_dump(mode="json"),
            taken=taken,
            analysis=analysis,
        )
        return Done(_Writer(job, snapshot, chosen.about).write)

    async def _choose(self, ib: IB, wanted: ChainRequest) -> Chosen:
        about = await self._listing.underlying(ib, wanted)
        spot = await self._spot(_contract(about))
        chain = await self._listing.option_class(ib, _contract(about), wanted)
        today = trading_date(self._now())
        expiries = _expiries(chain, today, wanted)
        listed = await self._listing.contracts(
            ib, about, chain, today=today, wanted=Wanted(expiries, RIGHTS[wanted.rights])
        )
        return Chosen(wanted, about, chain, spot, {one.contract.conId: one for one in listed})

    async def _spot(self, contract: Contract) -> float:
        values = LineValues(wanted=UNDERLYING)
        await self._reading.read(Lines([Line(contract, values)]), Manner(SPOT_S))
        if (spot := values.spot()) is not None:
            return spot
        why = await _why_silent(values.refusal, self._now())
        raise Refused("no_price", f"{contract.symbol} has no price. {why}")

    async def _cells(self, chosen: Chosen) -> list[Cell]:
        wanted, spot = chosen.wanted, chosen.spot
        cells = [_cell(one.contract) for one in chosen.listed.values()]
        window = Window(wanted.strikes, wanted.window_percent, wanted.min_delta)
        deviations: Mapping[str, float] = {}
        if wanted.min_delta is not None:
            deviations = await self._deviations(chosen, chain_plan.nearest_cells(cells, spot))
        found = chain_plan.choose_cells(cells, spot, window, deviations=deviations)
        if found:
            return found
        raise Refused(
            "no_contracts",
            f"No listed option of {wanted.underlying} lies in the window around {spot:g}.",
            remedy=f"{NOTHING_STORED} Widen the strike window or ask for more expiries.",
        )

    async def _deviations(self, chosen: Chosen, cells: Sequence[Cell]) -> Mapping[str, float]:
        """Return volatility times root of time at the money, by expiry; one line each."""
        now, found = self._now(), dict[str, float]()
        values = {cell: LineValues(wanted=("model",)) for cell in cells}
        lines = [Line(chosen.listed[cell.con_id].contract, said) for cell, said in values.items()]
        await self._reading.read(Lines(lines), Manner(chosen.wanted.contract_deadline_s))
        for cell, said in values.items():
            day = expiry_of(cell.expiry)
            if said.model is not None and said.model.iv is not None and day is not None:
                found[cell.expiry] = said.model.iv * math.sqrt(years_to(day, now))
        return found

    def _refuse_the_impossible(self, contracts: int, left_s: float) -> None:
        rate = self._reading.messages_per_s
        floor_s = chain_plan.floor_s(contracts, messages_per_s=rate)
        if floor_s > left_s:
            raise Refused(
                "deadline_too_short",
                f"{contracts} contracts take at least {floor_s:.0f} s at {rate} "
                f"messages a second, and {max(left_s, 0):.0f} s are left.",
                remedy=f"{NOTHING_STORED} Ask for fewer strikes or expiries, or give more time.",
            )

    async def _sweep(
        self, chosen: Chosen, cells: Sequence[Cell], progress: Progress
    ) -> tuple[list[Taken], Manner]:
        wanted = chosen.wanted
        needed = OPTION_AND_INTEREST if wanted.open_interest else OPTION
        taken = [
            Taken(
                cell,
                chosen.listed[cell.con_id].instrument_id,
                LineValues(right=cell.right, wanted=needed),
            )
            for cell in cells
        ]
        lines = [
            Line(chosen.listed[one.cell.con_id].contract, one.values, OPTION_TICKS) for one in taken
        ]
        manner = self._manner(wanted, len(lines))
        progress.report(0, len(lines))
        await self._reading.read(Lines(lines, progress.report), manner)
        return taken, manner

    def _manner(self, wanted: ChainRequest, contracts: int) -> Manner:
        pays = chain_plan.snapshots_pay(
            contracts, lines=self._budget.free, messages_per_s=self._reading.messages_per_s
        )
        if pays and not wanted.open_interest:
            return Manner(chain_plan.SNAPSHOT_S + wanted.contract_deadline_s, snapshots=True)
        return Manner(wanted.contract_deadline_s)

    def _cost(self, contracts: int, manner: Manner, *, seconds: float) -> Cost:
        messages = chain_plan.messages(contracts, snapshots=manner.snapshots)
        return Cost(seconds, messages, messages / self._reading.messages_per_s)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes a snapshot, inside the transaction that completes its request."""

    job: Job
    snapshot: Snapshot
    about: ContractDetails

    async def write(self, conn: Connection) -> dict[str, Any]:
        ids = await instruments.upsert(conn, [self.about])
        underlying_id = ids[_contract(self.about).conId]
        snapshot_id = await store(
            conn, self.snapshot, request_id=self.job.id, underlying_id=underlying_id
        )
        cost = self.snapshot.cost
        return {
            "snapshot_id": str(snapshot_id),
            "spot": self.snapshot.spot,
            "forward": self.snapshot.forward(),
            "rate": self.snapshot.rate(),
            "seconds": round(cost.seconds, 3),
            "floor_s": round(cost.floor_s, 3),
            "efficiency": round(cost.efficiency, 4),
            "quality": self.snapshot.quality(),
            "states": dict(self.snapshot.states()),
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


def _cell(contract: Contract) -> Cell:
    expiry = contract.lastTradeDateOrContractMonth[:8]
    return Cell(contract.conId, expiry, contract.strike, contract.right[:1])


def _expiries(chain: ChainClass, today: date, wanted: ChainRequest) -> list[str]:
    return chain_plan.choose_expiries(
        chain.expirations,
        today,
        count=wanted.expiries,
        min_dte=wanted.min_dte,
        max_dte=wanted.max_dte,
    )


async def _refuse_silence(taken: Sequence[Taken], symbol: str) -> None:
    silent = (QuoteState.missing, QuoteState.no_permission, QuoteState.error)
    if any(one.values.state() not in silent for one in taken):
        return
    refusals = [one.values.refusal for one in taken if one.values.refusal]
    why = await _why_silent(refusals[0] if refusals else "", utcnow())
    raise Refused("empty_chain", f"None of {len(taken)} contracts of {symbol} has a quote. {why}")


async def _why_silent(refusal: str, now: datetime) -> str:
    if refusal:
        return f"{NOTHING_STORED} The gateway says: {refusal}"
    # In a thread: the first look loads pandas, a second in which no tick would be read.
    if await anyio.to_thread.run_sync(is_open, now):
        return f"{NOTHING_STORED} Check the market-data subscriptions of the user."
    return (
        f"{NOTHING_STORED} The market is closed; with IBKEEPER_GATEWAY__MARKET_DATA_TYPE=2 IB "
        "shows the last quotes of the session."
    )
