"""A local server that speaks Alpaca's market-data protocol: for tests of any client of it.

    frames.py        what goes over the wire: JSON, or msgpack with its own timestamps
    messages.py      quotes, prints, snapshots as the vendor writes them
    rules.py         who is let in, and to how much
    conversation.py  one websocket, from the welcome to the last frame
    snapshots.py     the answers of the REST endpoint
    vendor.py        the server: its port, its ledger, and what can be made to go wrong

Streams: `/v2/{sip,iex,delayed_sip}` and `/v1beta1/{opra,indicative}` on the same port as
`GET /v1beta1/options/snapshots`.
"""

from ibcore.sim.alpaca.rules import Rules
from ibcore.sim.alpaca.vendor import Vendor

__all__ = ["Rules", "Vendor"]
