"""Where committed rows are published beside the database: Redis, NATS JetStream.

A sink follows the rows as any reader does (`ibcore.stream`), page by page, in a task of its own:
nothing is queued beyond the page it is at, so one that is slow or dead holds up neither the tick
path nor another sink, and goes on where it was. It runs in a process of its own
(`ibkeeper sinks run`), on any machine that reaches the database.
"""
