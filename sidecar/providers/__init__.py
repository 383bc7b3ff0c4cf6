"""Backup providers, and who of all providers the rows are taken from.

backup.py           what every backup can do
gate.py             lets the rows of one provider through where it is the active one
gated_feed.py       a feed behind a gate: what it does when its gate opens
standby.py          a second IB gateway, warm and read-only
watched.py          a backup under watch: the causes of its lines' silence, and their cures
router.py           looks, decides by `ibcore.failover`, switches, tells
switch_journal.py   each switch as rows
"""
