"""Everything that two clients can ask: each of their methods that sends a request, as frames.

The clients are driven without a socket: what they would write is kept. Arguments are chosen by the
name of the parameter, so that a method which a new version adds is called as well.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import ib_async
import ibapi.client
import ibapi.contract
import ibapi.execution
import ibapi.order
import ibapi.order_cancel
import ibapi.scanner
from ib_async.objects import WshEventData
from ibapi.common import WshEventData as OfficialWshEventData

_PLAIN: dict[str, Any] = {
    "reqId": 7, "tickerId": 7, "orderId": 7, "account": "DU1234567", "acctCode": "DU1234567",
    "modelCode": "", "groupName": "All", "tags": "NetLiquidation", "genericTickList": "233",
    "genericTicks": "233", "snapshot": False, "regulatorySnapshot": False, "marketDataType": 1,
    "bboExchange": "9c0001", "marketRuleId": 26, "tickType": "Last", "numberOfTicks": 0,
    "ignoreSize": False, "optionPrice": 5.0, "underPrice": 228.0, "volatility": 0.3,
    "exerciseAction": 1, "exerciseQuantity": 1, "override": 0, "manualOrderTime": "",
    "customerAccount": "", "professionalCustomer": False, "manualCancelOrderTime": "",
    "bAutoBind": False, "numIds": 1, "subscribe": True, "ledgerAndNLV": False, "conid": 265598,
    "conId": 265598, "numRows": 5, "isSmartDepth": True, "allMsgs": True, "faData": 1,
    "cxml": "<xml/>", "endDateTime": "", "startDateTime": "20261120 12:00:00 US/Eastern",
    "durationStr": "1 D", "barSizeSetting": "1 hour", "whatToShow": "TRADES", "useRTH": 1,
    "useRth": 1, "formatDate": 1, "keepUpToDate": False, "timePeriod": "3 days", "barSize": 5,
    "reportType": "ReportSnapshot", "providerCode": "BRFG", "articleId": "x",
    "providerCodes": "BRFG", "totalResults": 10, "groupId": 1, "contractInfo": "none",
    "apiName": "x", "apiVersion": "1", "apiData": "x", "opaqueIsvKey": "x", "xyzResponse": "x",
    "underlyingSymbol": "AAPL", "futFopExchange": "", "underlyingSecType": "STK",
    "underlyingConId": 265598, "pattern": "AA", "apiOnly": False, "logLevel": 2,
}  # fmt: skip
_OPTIONS = ("Options", "options")  # lists of tags


def _described(contract: Any) -> Any:
    contract.symbol, contract.secType = "AAPL", "STK"
    contract.exchange, contract.currency = "SMART", "USD"
    return contract


def _order(order: Any) -> Any:
    order.action, order.totalQuantity, order.orderType = "BUY", 1, "MKT"
    return order


def _ib_async_objects() -> dict[str, Any]:
    return {
        "contract": _described(ib_async.Contract()),
        "order": _order(ib_async.Order()),
        "execFilter": ib_async.ExecutionFilter(),
        "subscription": ib_async.ScannerSubscription(),
        "data": WshEventData(),
    }


def _official_objects() -> dict[str, Any]:
    return {
        "contract": _described(ibapi.contract.Contract()),
        "order": _order(ibapi.order.Order()),
        "orderCancel": ibapi.order_cancel.OrderCancel(),
        "execFilter": ibapi.execution.ExecutionFilter(),
        "subscription": ibapi.scanner.ScannerSubscription(),
        "wshEventData": OfficialWshEventData(),
    }


def _called(method: Callable[..., Any], objects: dict[str, Any]) -> None:
    given = {}
    for name in inspect.signature(method).parameters:
        if name.endswith(_OPTIONS):
            given[name] = []
        else:
            given[name] = objects[name] if name in objects else _PLAIN[name]
    method(**given)


def _methods(kind: type) -> Iterator[str]:
    """Name the methods that send a request: they write a message, and are no protobuf twin."""
    for name, method in vars(kind).items():
        if inspect.isfunction(method) and not name.endswith("ProtoBuf"):
            source = inspect.getsource(method)
            if ("self.send(" in source or "self.sendMsg(OUT." in source) and name != "send":
                yield name


def by_ib_async(version: int) -> dict[str, list[str]]:
    """Return what each method of ib_async's client writes, split into fields."""
    client = ib_async.client.Client(SimpleNamespace())
    sent: list[str] = []
    client.isConnected = lambda: True
    client.serverVersion = lambda: version
    client.sendMsg = sent.append
    objects = _ib_async_objects()
    found = {}
    for name in _methods(ib_async.client.Client):
        sent.clear()
        _called(getattr(client, name), objects)
        [frame] = sent
        found[name] = frame.split("\0")[:-1]
    return found


def by_official(version: int) -> dict[str, list[str]]:
    """Return what each method of the official client writes, split into fields.

    What it refuses to send to a server of this version is left out.
    """
    client = ibapi.client.EClient(ibapi.wrapper.EWrapper())
    sent: list[bytes] = []
    client.isConnected = lambda: True
    client.serverVersion_ = version
    client.extraAuth = True
    client.clientId = 7
    client.optCapab = ""
    client.conn = SimpleNamespace(sendMsg=sent.append)
    objects = _official_objects()
    found = {}
    for name in _methods(ibapi.client.EClient):
        sent.clear()
        _called(getattr(client, name), objects)
        if sent:
            found[name] = sent[0][4:].decode().split("\0")[:-1]
    return found
