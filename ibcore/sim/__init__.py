"""The simulated gateway: a stateful server that speaks the TWS socket protocol to any client."""
