"""An index, a future and a currency pair beside the stocks: details, chains, ticks, history."""

from __future__ import annotations

import pytest
from ib_async import ContFuture, Contract, Forex, Future, Index, Option, Stock

from ibcore.sim.server import Gateway, SimConfig
from tests.integration import sim_client as asking
from tests.integration.sim_client import eventually, ib_client, raw_client

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


async def test_each_kind_says_when_it_trades_on_its_exchange_s_own_clock() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        expected = {"STK": ("US/Eastern", "0400"), "FUT": ("US/Central", "1700"),
                    "CASH": ("US/Eastern", "1715")}  # fmt: skip
        for contract in (Stock("AAPL", "SMART", "USD"), Future("ES", "", "CME"), Forex("EURUSD")):
            [found] = await ib.reqContractDetailsAsync(contract)
            zone, opens = expected[contract.secType]
            assert found.timeZoneId == zone
            assert found.tradingSessions()
            assert f":{opens}-" in found.tradingHours
            assert len(found.marketRuleIds.split(",")) == len(found.validExchanges.split(","))
            assert found.priceMagnifier == 1


async def test_a_contract_is_found_by_its_isin_and_on_the_exchange_that_was_named() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        [apple] = await ib.reqContractDetailsAsync(Stock("AAPL", "NASDAQ", "USD"))
        assert apple.contract is not None
        assert apple.contract.exchange == "NASDAQ"
        [isin] = [pair.value for pair in apple.secIdList if pair.tag == "ISIN"]
        by_isin = Contract(secType="STK", exchange="SMART", secIdType="ISIN", secId=isin)
        [same] = await ib.reqContractDetailsAsync(by_isin)
        assert same.contract is not None
        assert same.contract.conId == 265598
        by_isin.secId = "US0000000000"
        assert not await ib.reqContractDetailsAsync(by_isin)


async def test_what_ib_knows_and_this_does_not_is_200_and_what_nobody_knows_is_321() -> None:
    async with Gateway(FAST) as gateway, raw_client(gateway) as client:
        for sec_type in ("BOND", "CRYPTO", "CFD", "FOP", "WAR", "BAG", "SHRE", ""):
            client.send(*asking.contract_details(7, symbol="AAPL", sec_type=sec_type))
            expected = "321" if sec_type in ("SHRE", "", "BAG") else "200"
            assert (await client.receive())[3] == expected


async def test_the_continuous_future_is_the_front_one_under_its_own_type() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        continuous, front = ContFuture("ES", "CME"), Future("ES", "", "CME")
        await ib.qualifyContractsAsync(continuous, front)
        assert (continuous.conId, continuous.secType) == (front.conId, "CONTFUT")
        assert await ib.reqHistoricalDataAsync(continuous, "", "2 D", "1 hour", "TRADES", True)


async def test_names_and_symbols_of_every_kind_match() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        found = await ib.reqMatchingSymbolsAsync("s&p")
        assert [(item.contract.symbol, item.contract.secType) for item in found] == [("SPX", "IND")]
        assert found[0].derivativeSecTypes == ["OPT"]
        stocks = await ib.reqMatchingSymbolsAsync("am")
        assert {item.contract.symbol for item in stocks} == {"AMZN", "AMD"}
        assert await ib.reqMatchingSymbolsAsync("zzz") == []


async def test_a_future_and_a_currency_pair_have_a_book_of_their_exchange() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        for contract in (Forex("EURUSD"), Future("ES", "", "CME")):
            await ib.qualifyContractsAsync(contract)
            book = ib.reqMktDepth(contract)
            await eventually(lambda book=book: len(book.domBids) == len(book.domAsks) == 5)
            assert book.domBids[0].price < book.domAsks[0].price
            ib.cancelMktDepth(contract)
        listed = await ib.reqMktDepthExchangesAsync()
        assert {("CME", "FUT"), ("IDEALPRO", "CASH")} <= {(e.exchange, e.secType) for e in listed}


async def test_data_that_a_kind_does_not_have_is_refused_whoever_asks() -> None:
    async with Gateway(FAST) as gateway, ib_client(gateway) as ib:
        euro, spx = Forex("EURUSD"), Index("SPX", "CBOE")
        await ib.qualifyContractsAsync(euro, spx)
        codes: list[int] = []
        ib.errorEvent += lambda _id, code, _text, _contract: codes.append(code)
        noon = "20261120 12:00:00 US/Eastern"
        await ib.reqHistoricalTicksAsync(euro, "", noon, 10, "TRADES", True)
        await ib.reqHistoricalDataAsync(spx, "", "2 D", "1 hour", "MIDPOINT", True)
        await ib.reqHeadTimeStampAsync(spx, "BID", True, 1)
        await ib.reqHistogramDataAsync(euro, True, "3 days")
        ib.reqTickByTickData(euro, "Last")
        ib.reqTickByTickData(spx, "BidAsk")
        ib.reqRealTimeBars(euro, 5, "TRADES", False)
        await eventually(lambda: len(codes) == 7)
        assert codes == [162, 162, 162, 162, 10189, 10189, 420]
        assert not list(gateway.data.streams)


async def test_no_two_contracts_share_an_id() -> None:
    gateway = Gateway(FAST)
    universe = gateway.source.universe
    listed = [*universe.stocks.values(), *universe.others.values()]
    listed += [option for stock in listed for option in universe.options(stock.symbol)]
    assert len(listed) == len(universe.by_id)
