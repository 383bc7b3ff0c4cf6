"""Prefect flows: thin, one per file; they reach the sidecar through rows only."""
