"""An index, a future and a currency pair beside the stocks: details, chains, ticks, history."""

from __future__ import annotations

import pytest
from ib_async import Contract, Forex, Future, Index, Option

from ibcore.sim.server import Gateway, SimConfig
from tests.integration.sim_client import eventually, ib_client

pytestmark = pytest.mark.anyio

FAST = SimConfig(cadence_scale=0.1)


async def test_the_other_kinds_are_qualified_and_described() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        spx, es, euro = Index("SPX", "CBOE"), Future("ES", "", "CME"), Forex("EURUSD")
        assert len(await ib.qualifyContractsAsync(spx, es, euro)) == 3
        assert (spx.conId, euro.conId, euro.localSymbol) == (416904, 12087792, "EUR.USD")
        [future] = await ib.reqContractDetailsAsync(es)
        assert future.contract is not None
        assert future.contract.multiplier == "50"
        assert future.minTick == 0.25
        assert future.underSecType == "IND"
        assert es.localSymbol.startswith("ES")
        [pair] = await ib.reqContractDetailsAsync(euro)
        assert pair.minTick == 0.00005
        assert pair.tradingSessions()


async def test_an_index_has_two_roots_of_options() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        chains = await ib.reqSecDefOptParamsAsync("SPX", "", "IND", 416904)
        roots = {chain.tradingClass: chain for chain in chains if chain.exchange == "SMART"}
        assert roots.keys() == {"SPX", "SPXW"}
        third = min(set(roots["SPX"].expirations) & set(roots["SPXW"].expirations))
        calls = Option("SPX", third, 0.0, "C", "SMART", tradingClass="SPX")
        listed = [found.contract for found in await ib.reqContractDetailsAsync(calls)]
        strikes = sorted(contract.strike for contract in listed if contract is not None)
        both = [
            Option("SPX", third, strikes[len(strikes) // 2], "C", "SMART", tradingClass=root)
            for root in ("SPX", "SPXW")
        ]
        await ib.qualifyContractsAsync(*both)
        assert both[0].conId != both[1].conId
        assert [option.localSymbol[:6] for option in both] == ["SPX   ", "SPXW  "]
        by_local = Contract(secType="OPT", localSymbol=both[1].localSymbol, exchange="SMART")
        [found] = await ib.reqContractDetailsAsync(by_local)
        assert found.contract is not None
        assert found.contract.conId == both[1].conId
        assert found.underSecType == "IND"


async def test_every_kind_shows_the_ticks_it_has() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        spx, es, euro = Index("SPX", "CBOE"), Future("ES", "", "CME"), Forex("EURUSD")
        await ib.qualifyContractsAsync(spx, es, euro)
        index, future, pair = (ib.reqMktData(contract) for contract in (spx, es, euro))
        await eventually(lambda: index.last > 0 and future.last > 0 and pair.bid > 0)
        assert index.bid != index.bid
        assert future.bid < future.ask
        assert (future.bid * 4) % 1 == 0
        assert pair.last != pair.last
        assert 0 < pair.ask - pair.bid < 0.001


async def test_a_currency_pair_has_a_past_of_quotes_and_none_of_trades() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        euro = Forex("EURUSD")
        bars = await ib.reqHistoricalDataAsync(euro, "", "2 D", "1 hour", "MIDPOINT", True)
        assert len(bars) == 14
        assert all(0.9 < bar.low <= bar.high < 1.6 for bar in bars)
        assert not await ib.reqHistoricalDataAsync(euro, "", "2 D", "1 hour", "TRADES", True)
        assert gateway.ledger.counts["notice_162"] == 1


async def test_no_two_contracts_share_an_id() -> None:
    gateway = Gateway(FAST)
    universe = gateway.source.universe
    listed = [*universe.stocks.values(), *universe.others.values()]
    listed += [option for stock in listed for option in universe.options(stock.symbol)]
    assert len(listed) == len(universe.by_id)
