"""Measurements of the running system: `make bench`, or `python -m benchmarks --only NAME,…`."""
