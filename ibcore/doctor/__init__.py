"""The doctor: looks at everything ibkeeper leans on, and says the remedy for what is wrong.

finding.py      pure: what one look found, and the refusal that live trading makes of it
gateway.py      the API handshake, before any client id is taken: version and clock
alpaca.py       the backup vendor: reached, keys taken, each feed allowed and named for what it is
database.py     login, schema, roles, clock, TimescaleDB
prefect.py      the server, who reaches it, and whether it asks who that is
alert_targets.py  can their hosts be found? Nothing is sent: that is `ibkeeper alerts test`
files.py        modes of the files that hold secrets
disk.py         free bytes where the spool is and where the database is, against the spool's cap
clocks.py       pure: how wrong a clock may be
examination.py  all of it, at once

It changes nothing and disturbs nobody: no session, no row, no message.
"""
