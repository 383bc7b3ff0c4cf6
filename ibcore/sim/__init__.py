"""A simulated IB Gateway: speaks the TWS socket protocol, serves a model or a tape, keeps a ledger.

It encodes its own bytes and never imports ib_async: two independent implementations must meet
on the wire, or neither proves anything about the other. What it does not do is listed in
docs/simulator.md.
"""
