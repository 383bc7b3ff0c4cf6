"""The promises of the connection, and whether they are kept: every two minutes, a day, a week.

spans.py     pure: stretches of time, their union, what they share and how long they are
check.py     pure: what one look found, held against its bounds
report.py    pure: the figures of a period, and how fast the error budget burns
reading.py   what the rows say, and what a look writes
burning.py   the error budget in flight, and its incident
figures.py   all figures of a sidecar in a period
"""
