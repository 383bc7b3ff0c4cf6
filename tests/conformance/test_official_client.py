"""The official client (PyPI nautilus-ibapi) runs its own loop against the simulated gateway."""

from __future__ import annotations

import pytest
from ibapi.execution import ExecutionFilter

from ibcore.sim.threaded import ThreadedGateway
from tests.conformance.official import contract, official_client

AAPL = {"symbol": "AAPL", "secType": "STK"}


def test_it_connects_although_it_offers_versions_beyond_ours(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        assert client.first("nextValidId") == (1,)
        assert client.serverVersion() == 178
        assert client.first("managedAccounts") == ("DU1234567",)
        client.until(lambda: len(client.of("error")) == 3)
        assert [arguments[2] for arguments in client.of("error")] == [2104, 2106, 2158]
        assert client.first("connectAck") == ()


def test_it_reads_contract_details(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        client.reqContractDetails(7, contract(**AAPL))
        req_id, details = client.first("contractDetails")
        assert req_id == 7
        assert details.contract.conId == 265598
        assert details.longName == "APPLE INC"
        assert details.minTick == 0.01
        assert str(details.suggestedSizeIncrement) == "100"
        assert client.first("contractDetailsEnd") == (7,)
        client.reqContractDetails(8, contract(symbol="XXX", secType="STK"))
        assert client.first("error", lambda *e: e[0] == 8)[2] == 200


def test_it_streams_and_stops(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        client.reqMarketDataType(1)
        client.reqMktData(9, contract(**AAPL), "233,236", False, False, [])
        bid = client.first("tickPrice", lambda _r, tick_type, *_: tick_type == 1)
        ask = client.first("tickPrice", lambda _r, tick_type, *_: tick_type == 2)
        assert 0 < bid[2] < ask[2]
        assert bid[3].canAutoExecute
        assert client.first("tickReqParams")[1] == 0.01
        assert client.first("marketDataType") == (9, 1)
        assert client.first("tickString", lambda _r, kind, *_: kind == 48)[2].count(";") == 5
        client.cancelMktData(9)
        client.reqCurrentTime()
        client.first("currentTime")
        sent = ib_gateway.ledger.stats()["ticks"]
        heard = sum(len(client.of(name)) for name in ("tickPrice", "tickString", "tickGeneric"))
        assert 0 < heard <= sent
        assert ib_gateway.ask(lambda gateway: gateway.subscriptions.count) == 0


def test_what_it_hears_is_what_the_ledger_says_was_sent(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        client.reqMktData(9, contract(**AAPL), "", False, False, [])
        client.until(lambda: len(client.of("tickPrice")) > 30)
        client.cancelMktData(9)
        client.reqCurrentTime()
        client.first("currentTime")
        sent = [
            (t.tick_type, float(t.fields[0])) for t in ib_gateway.ledger.sent_ticks if t.msg_id == 1
        ]
        assert [(kind, price) for _, kind, price, _ in client.of("tickPrice")] == sent


def test_it_reads_a_chain(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        client.reqSecDefOptParams(3, "AAPL", "", "STK", 265598)
        client.first("securityDefinitionOptionParameterEnd")
        smart = client.first(
            "securityDefinitionOptionParameter", lambda _r, exchange, *_: exchange == "SMART"
        )
        assert (smart[2], smart[4], len(smart[5])) == (265598, "100", 12)
        wild = contract(
            symbol="AAPL",
            secType="OPT",
            lastTradeDateOrContractMonth=min(smart[5]),
            right="C",
        )
        client.reqContractDetails(4, wild)
        client.first("contractDetailsEnd")
        strikes = {details.contract.strike for _, details in client.of("contractDetails")}
        assert len(strikes) > 10
        assert strikes <= set(smart[6])


def test_it_reads_the_account(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        client.first("nextValidId")
        client.reqAccountUpdates(True, "DU1234567")
        client.first("accountDownloadEnd")
        client.reqAccountSummary(5, "All", "NetLiquidation,BuyingPower")
        client.first("accountSummaryEnd")
        assert {tag for _, _, tag, *_ in client.of("accountSummary")} == {
            "NetLiquidation",
            "BuyingPower",
        }
        client.cancelAccountSummary(5)
        client.reqPositions()
        client.first("positionEnd")
        client.cancelPositions()
        client.reqExecutions(6, ExecutionFilter())
        assert client.first("execDetailsEnd") == (6,)
        client.reqOpenOrders()
        client.reqAllOpenOrders()
        client.until(lambda: len(client.of("openOrderEnd")) == 2)
        client.reqCompletedOrders(True)
        client.first("completedOrdersEnd")
        assert not [e for e in client.of("error") if e[0] > 0]


def test_it_finds_symbols_and_rules(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        client.reqMatchingSymbols(2, "AAP")
        [found] = client.first("symbolSamples")[1]
        assert (found.contract.conId, found.derivativeSecTypes) == (265598, ["CFD", "OPT"])
        client.reqMarketRule(26)
        rule, [step] = client.first("marketRule")
        assert (rule, step.lowEdge, step.increment) == (26, 0, 0.01)


def test_a_client_id_in_use_is_told_so_and_closed(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port, 4) as first:
        first.first("nextValidId")
        with official_client(ib_gateway.port, 4) as second:
            assert second.first("error")[2] == 326
            second.first("connectionClosed")
        first.reqCurrentTime()
        assert first.first("currentTime")


@pytest.mark.ib_gateway(cadence_scale=0.05)
def test_a_snapshot_ends(ib_gateway: ThreadedGateway) -> None:
    with official_client(ib_gateway.port) as client:
        client.reqMktData(11, contract(**AAPL), "", True, False, [])
        assert client.first("tickSnapshotEnd") == (11,)
        assert client.of("tickPrice")
