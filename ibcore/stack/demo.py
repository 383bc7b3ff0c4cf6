"""The demo watch list: what the simulated gateway itself suggests, asked over its control port.

Never used with a real gateway: lines there are the user's to give.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from ibcore.domain import ContractSpec
from ibcore.errors import ChildDied
from ibcore.stack.plan import LOOPBACK

# All ten names and the options of two: enough to see, few enough for a small machine.
MODEL_LINES: Final = 42
# A chain snapshot needs free lines even while a tape fills the watch list.
KEPT_FREE: Final = 20
_ANSWER_BYTES: Final = 1_000_000
_DEADLINE_S: Final = 10.0


async def suggested(control_port: int) -> list[ContractSpec]:
    """Ask the simulator what is worth watching."""
    try:
        with anyio.fail_after(_DEADLINE_S):
            answer = await _ask(control_port, {"do": "universe"})
        return [_spec(entry) for entry in answer["watch"]]
    except (OSError, TimeoutError, ValueError, KeyError, anyio.EndOfStream) as silent:
        raise ChildDied(
            f"The simulated gateway does not say what it has ({type(silent).__name__}).",
            remedy="Everything was stopped. See gateway.log in the logs folder.",
        ) from silent


def choose(specs: Sequence[ContractSpec], *, tape: bool, lines: int) -> list[ContractSpec]:
    """Return what the empty watch list is filled with."""
    room = max(lines - KEPT_FREE, 1)
    return list(specs[: room if tape else min(room, MODEL_LINES)])


async def _ask(port: int, command: dict[str, Any]) -> dict[str, Any]:
    async with await anyio.connect_tcp(LOOPBACK, port) as stream:
        await stream.send(json.dumps(command).encode() + b"\n")
        line = await BufferedByteReceiveStream(stream).receive_until(b"\n", _ANSWER_BYTES)
    answer: dict[str, Any] = json.loads(line)
    return answer


def _spec(entry: dict[str, Any]) -> ContractSpec:
    """Leave out contract id and multiplier: a person who adds the same line finds it there."""
    return ContractSpec(
        entry["symbol"],
        entry["sec_type"],
        expiry=entry["expiry"],
        strike=float(entry["strike"]),
        right=entry["right"],
    )
