from ib_async import *

ib = IB()
ib.connect("127.0.0.1", 7497, clientId=11)

amd = Stock("AMD", "SMART", "USD")
cds = ib.reqContractDetails(amd)
assert len(cds) >= 1
assert cds[0].contract.conId == 4391

assert len(ib.qualifyContracts(amd)) == 1
print(amd)

matches = ib.reqMatchingSymbols("AMD")
print([m.contract.symbol for m in matches])

assert ib.reqContractDetails(Stock("XXX", "SMART", "USD")) == []

ib.disconnect()
