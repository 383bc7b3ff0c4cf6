"""Ports are looked at before anything starts: a taken one is one clear line, not a dead child."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import NamedTuple

import psutil

from ibcore.errors import PortTaken


class NeededPort(NamedTuple):
    """A loopback port, what for, and the setting that moves it."""

    port: int
    purpose: str
    setting: str


def check(needed: Iterable[NeededPort]) -> None:
    """Raise PortTaken for the first port that is in use."""
    for wanted in needed:
        if _taken(wanted.port):
            raise PortTaken(
                f"Port {wanted.port}, needed for {wanted.purpose}, is in use{_by(wanted.port)}.",
                remedy=f"Nothing was started. Stop that program or set {wanted.setting}.",
            )


def _taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier run in TIME_WAIT must not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as refused:
            return refused.errno in (errno.EADDRINUSE, errno.EACCES)
    return False


def _by(port: int) -> str:
    """Name the program if the system lets us see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            here = connection.laddr and connection.laddr.port == port
            if here and connection.pid and connection.status == psutil.CONN_LISTEN:
                name = psutil.Process(connection.pid).name()
                return f" by {name} (process {connection.pid})"
    except (psutil.Error, OSError):
        return ""
    return ""
