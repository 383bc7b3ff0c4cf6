"""What the gateway's ledger says of orders, asked at its control port; options that it lists."""

from __future__ import annotations

import json
import socket
from datetime import datetime, timezone

from ibcore.sim import catalogue, chains
from tests.acceptance.system import System


def placed(system: System) -> int:
    """Return how many orders the gateway was asked to place."""
    with socket.create_connection(("127.0.0.1", system.control_port)) as port:
        port.sendall(b'{"do": "orders"}\n')
        with port.makefile() as lines:
            head = json.loads(lines.readline())
            said = [json.loads(lines.readline()) for _ in range(head["count"])]
    return sum(each.get("what") == "placed" for each in said)


def two_calls() -> tuple[str, str]:
    """Return two calls that the gateway lists, as legs are written, without their ratio."""
    today = datetime.now(timezone.utc).date()
    listed = [c for c in chains.chain(catalogue.CATALOGUE["AAPL"], today) if c.right == "C"]
    # A third Friday: it is listed in New York too, where it may still be yesterday.
    expiry = sorted({c.expiry for c in listed if 15 <= int(c.expiry[6:]) <= 21})[1]
    near = sorted(c.strike for c in listed if c.expiry == expiry and c.strike >= 230)
    low, high = (f"AAPL {expiry} C {strike:g}" for strike in near[:2])
    return low, high
