"""Objects that a real session printed, read back from the notebooks' outputs without running them.

Only constants, lists and calls of ib_async's own classes are understood; a cell that prints
anything else (a table, a picture) yields nothing.
"""

from __future__ import annotations

import ast
import datetime
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import ib_async

from tests.conformance.recordings import WIRE

NOTEBOOKS: Final = WIRE / "ib_async_notebooks"


class Printed(NamedTuple):
    """One object and where it stands."""

    file: str
    line: int
    value: Any

    @property
    def kind(self) -> str:
        """The name of the object's class."""
        return getattr(self.value, "kind", type(self.value).__name__)


def objects() -> Iterator[Printed]:
    """Yield every object that the notebooks printed; the items of a list one by one."""
    for path in sorted(NOTEBOOKS.glob("*.txt")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            text = line.strip().lstrip("[").rstrip(",")
            for value in _parsed(text) or _parsed(text.removesuffix("]")):
                yield Printed(path.name, number, value)


def _parsed(text: str) -> list[Any]:
    if not text[:1].isupper() or not text.endswith(")"):
        return []
    try:
        return [_value(ast.parse(text, mode="eval").body)]
    except (SyntaxError, ValueError, AttributeError):
        return []


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Name(id="nan"):
            return float("nan")
        case ast.Attribute(attr="utc"):
            return datetime.timezone.utc
        case ast.Call(func=func, args=args, keywords=keywords):
            given = {str(item.arg): _value(item.value) for item in keywords}
            made = _class(func)
            if made is ib_async.Ticker:  # which forgets what it is given: keep what was printed
                return SimpleNamespace(kind="Ticker", **given)
            if made is ib_async.OptionComputation:
                given.setdefault("tickAttrib", 0)  # ib_insync had none in 2019
            if made is ib_async.OrderStatus:
                given.pop("lastLiquidity")  # and this one here
            return made(*map(_value, args), **given)
    raise ValueError(ast.dump(node))


def _class(func: ast.expr) -> Any:
    match func:
        case ast.Attribute(attr="datetime"):
            return datetime.datetime
        case ast.Name(id=name) if name in ib_async.__all__:
            return getattr(ib_async, name)
    raise ValueError(ast.dump(func))
