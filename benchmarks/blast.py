"""A gateway that says nothing but ticks, as fast as it is read: the other side of `capture`.

The mix: 40 % prices, 30 % sizes, 20 % computations, 5 % strings, 5 % generic, on 100 contracts;
the last message is the current time, so that the reader knows the end.
"""

from __future__ import annotations

import random
import socket

LINES = 100
FIRST_REQ = 1


def frame(*fields: object) -> bytes:
    """Encode a message."""
    body = "".join(f"{field}\0" for field in fields).encode()
    return len(body).to_bytes(4, "big") + body


def ticks(count: int, *, seed: int = 7) -> bytes:
    """Encode `count` tick messages and the end."""
    dice = random.Random(seed)
    return b"".join(_tick(dice) for _ in range(count)) + frame(49, 1, 1_800_000_000)


def _tick(dice: random.Random) -> bytes:
    req_id, die = FIRST_REQ + dice.randrange(LINES), dice.random()
    price, size = round(dice.uniform(10, 500), 2), dice.randrange(1, 900)
    if die < 0.4:
        return frame(1, 6, req_id, dice.choice((1, 2, 4)), price, size, 1)
    if die < 0.7:
        return frame(2, 6, req_id, dice.choice((0, 3, 5, 8)), size)
    if die < 0.9:
        numbers = [round(dice.uniform(0.01, 0.9), 8) for _ in range(7)]
        return frame(21, req_id, dice.choice((10, 11, 12, 13)), 1, *numbers, price)
    if die < 0.95:
        return frame(46, 6, req_id, 45, 1_800_000_000 + dice.randrange(1_000))
    return frame(45, 6, req_id, 49, dice.randrange(3))


def serve(listener: socket.socket, stream: bytes) -> None:
    """Greet one client, wait until it asks for the time, and let everything out."""
    connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.recv(4_096)
        connection.sendall(frame(178, "20261123 09:30:00 UTC"))
        connection.recv(4_096)
        connection.sendall(frame(15, 1, "DU1234567") + frame(9, 1, 1_000))
        connection.recv(4_096)
        connection.sendall(stream)
        connection.recv(4_096)
