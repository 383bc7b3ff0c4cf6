"""Shared vocabulary and rules of ibkeeper: no IB socket, no Prefect."""
