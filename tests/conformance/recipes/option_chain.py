from ib_async import *

ib = IB()
ib.connect("127.0.0.1", 7497, clientId=12)

nvda = Stock("NVDA", "SMART", "USD")
ib.qualifyContracts(nvda)
ib.reqMarketDataType(4)
[ticker] = ib.reqTickers(nvda)
value = ticker.marketPrice()

chains = ib.reqSecDefOptParams(nvda.symbol, "", nvda.secType, nvda.conId)
chain = next(c for c in chains if c.tradingClass == "NVDA" and c.exchange == "SMART")

strikes = [
    strike for strike in chain.strikes if strike % 5 == 0 and value - 20 < strike < value + 20
]
expirations = sorted(exp for exp in chain.expirations)[:3]
rights = ["P", "C"]

contracts = [
    Option("NVDA", expiration, strike, right, "SMART", tradingClass="NVDA")
    for right in rights
    for expiration in expirations
    for strike in strikes
]

contracts = ib.qualifyContracts(*contracts)
contracts = [c for c in contracts if c]
print(len(contracts), "contracts")

tickers = ib.reqTickers(*contracts)
print(sum(t.modelGreeks is not None for t in tickers), "with greeks")

ib.disconnect()
