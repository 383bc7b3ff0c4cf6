"""Telling people: incidents become rows of the outbox, rows become messages, until they arrive.

target.py     where to: a URL of Apprise and a name; the only module that imports apprise
pace.py       pure: which of the waiting rows go now, as one message, and which wait
message.py    pure: the words of that message
outbox.py     the rows: written, taken, settled
courier.py    one target: takes, sends, settles, again and again
office.py     all targets together: what is new is shared out, what is late is escalated
heartbeat.py  the ping to somebody outside, who misses it when the whole machine is gone

At least once: a target that took a message and did not say so gets it again.
"""
