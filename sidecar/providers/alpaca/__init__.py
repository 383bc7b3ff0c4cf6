"""Alpaca as a backup provider: US stocks and options, by a thin client of our own.

provider.py       the backup: what is wanted, mapped, split over the streams
stream.py         one supervised websocket
door.py           the way in: connected, welcomed, authenticated
subscription.py   what is subscribed, and what is to be asked next; pure
wire.py           frames and times
codes.py          the vendor's error codes, each with what to do
feed.py           messages become rows
conditions.py     which prints are none
snapshots.py      greeks are asked for every few seconds
greeks.py         what the vendor says of them, or what we compute
"""

from sidecar.providers.alpaca.provider import Alpaca

__all__ = ["Alpaca"]
