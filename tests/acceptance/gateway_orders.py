"""What the gateway's ledger says of orders, asked at its control port."""

from __future__ import annotations

import json
import socket

from tests.acceptance.system import System


def placed(system: System) -> int:
    """Return how many orders the gateway was asked to place."""
    with socket.create_connection(("127.0.0.1", system.control_port)) as port:
        port.sendall(b'{"do": "orders"}\n')
        with port.makefile() as lines:
            head = json.loads(lines.readline())
            said = [json.loads(lines.readline()) for _ in range(head["count"])]
    return sum(each.get("what") == "placed" for each in said)
