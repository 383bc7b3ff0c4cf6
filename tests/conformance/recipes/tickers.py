from ib_async import *

ib = IB()
ib.connect("127.0.0.1", 7497, clientId=15)

contracts = [Stock(symbol, "SMART", "USD") for symbol in ("AAPL", "MSFT", "SPY")]
ib.qualifyContracts(*contracts)

for contract in contracts:
    ib.reqMktData(contract, "", False, False)


def onPendingTickers(tickers):
    for t in tickers:
        prices[t.contract.symbol] = (t.bid, t.ask, t.last)


prices = {}
ib.pendingTickersEvent += onPendingTickers
ib.sleep(2)
ib.pendingTickersEvent -= onPendingTickers

for contract in contracts:
    ib.cancelMktData(contract)
print(prices)

ib.disconnect()
