"""The one long-running process that owns the IB sessions; the only code that imports ib_async."""
