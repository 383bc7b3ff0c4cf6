"""Asks IB for what it still has of gaps, and keeps it apart from what was recorded live."""
