"""The doctor: looks at everything ibkeeper leans on, and says the remedy for what is wrong.

finding.py      pure: what one look found, and the refusal that live trading makes of it
gateway.py      the API handshake, before any client id is taken: version and clock
database.py     login, schema, roles, clock, TimescaleDB
prefect.py      the server, who reaches it, and whether it asks who that is
alert_targets.py  can their hosts be found? Nothing is sent: that is `ibkeeper alerts test`
files.py        modes of the files that hold secrets
clocks.py       pure: how wrong a clock may be
examination.py  all of it, at once

It changes nothing and disturbs nobody: no session, no row, no message.
"""
