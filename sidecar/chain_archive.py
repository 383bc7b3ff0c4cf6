"""What was listed, kept for the trading day: in memory, and in `chain_listing` and `instrument`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from ib_async import Contract, ContractDetails
from psycopg.rows import dict_row

from ibcore import db
from sidecar import instruments
from sidecar.instruments import expiry_of

Cells = dict[tuple[str, str], list["Listed"]]


class Listed(NamedTuple):
    """A contract that IB lists, and its number in `instrument`."""

    contract: Contract
    instrument_id: int


class Place(NamedTuple):
    """What a listing is of, and on which day; `params_hash` of IB's expiries and strikes."""

    underlying_con_id: int
    trading_class: str
    exchange: str
    listed_on: date
    params_hash: str


class Archive:
    """Reads and writes listings."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._memory: dict[Place, Cells] = {}

    async def known(self, place: Place, expiries: Sequence[str]) -> Mapping[tuple[str, str], Any]:
        """Return what is known of these expiries, by expiry and right."""
        cells = self._memory.get(place)
        if cells is None:
            # A new day, or another list of IB's: what is held of the same class is of no use.
            self._memory = {
                other: held
                for other, held in self._memory.items()
                if other[:3] != place[:3] and other.listed_on == place.listed_on
            }
            cells = self._memory[place] = {}
        if any((expiry, right) not in cells for expiry in expiries for right in "CP"):
            cells |= await self._read(place, expiries)
        return cells

    async def keep(
        self, place: Place, answers: Mapping[tuple[str, str], Sequence[ContractDetails]]
    ) -> Cells:
        """Store what IB listed just now, by expiry and right; return it."""
        described = [one for found in answers.values() for one in found]
        async with db.opened(self._url, application="chain listing") as connection:
            with db.translated():
                async with connection.transaction(), connection.cursor() as cursor:
                    ids = await instruments.upsert(connection, described)
                    rows = [_row(place, *cell, found) for cell, found in answers.items()]
                    await cursor.executemany(db.QUERIES["chain_listing_upsert"], rows)
        cells = {
            cell: [
                Listed(one.contract, ids[one.contract.conId])
                for one in found
                if one.contract is not None
            ]
            for cell, found in answers.items()
        }
        self._memory.setdefault(place, {}).update(cells)
        return cells

    async def _read(self, place: Place, expiries: Sequence[str]) -> Cells:
        days = [expiry_of(expiry) for expiry in expiries]
        cells: Cells = {}
        async with db.opened(self._url, application="chain listing") as connection:
            with db.translated():
                async with connection.cursor(row_factory=dict_row) as cursor:
                    await cursor.execute(
                        db.QUERIES["chain_listed"], {**place._asdict(), "expiries": days}
                    )
                    for row in await cursor.fetchall():
                        cell = cells.setdefault((row["listed_expiry"], row["listed_right"]), [])
                        if row["id"] is not None:
                            cell.append(Listed(_contract(row, place), row["id"]))
        return cells


def _row(place: Place, expiry: str, right: str, found: Sequence[ContractDetails]) -> dict[str, Any]:
    strikes = sorted({one.contract.strike for one in found if one.contract is not None})
    return {**place._asdict(), "expiry": expiry_of(expiry), "right": right, "strikes": strikes}


def _contract(row: Mapping[str, Any], place: Place) -> Contract:
    return Contract(
        secType=row["sec_type"],
        conId=row["con_id"],
        symbol=row["symbol"],
        lastTradeDateOrContractMonth=row["listed_expiry"],
        strike=row["strike"],
        right=row["right"],
        multiplier=row["multiplier"] or "",
        exchange=place.exchange,
        currency=row["currency"],
        localSymbol=row["local_symbol"] or "",
        tradingClass=row["trading_class"] or "",
    )
