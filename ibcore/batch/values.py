"""The values of a line: plain numbers, and text that may reach IB's wire.

Text is held to plain letters and digits: a NUL in a symbol would end the field and write the next
one. Numbers are plain decimals in ASCII: no NaN, no exponent, no digits of other scripts.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_PLAIN: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")


def plain_number(value: object) -> object:
    """Turn what stands for a plain decimal number into one; leave None alone."""
    if value is None or isinstance(value, Decimal):
        return value
    if isinstance(value, bool):
        raise ValueError("is no number")
    text = f"{Decimal(repr(value)):f}" if isinstance(value, float) else str(value).strip()
    if not _PLAIN.fullmatch(text):
        raise ValueError("is no plain number, such as 100 or 0.25")
    return Decimal(text)


_READ: Final = BeforeValidator(plain_number)
_AS_TEXT: Final = PlainSerializer(str, when_used="json")
_MORE_THAN_0: Final = WithJsonSchema({"type": "number", "exclusiveMinimum": 0})
_ANY: Final = WithJsonSchema({"type": "number"})
Quantity = Annotated[Decimal, _READ, _AS_TEXT, _MORE_THAN_0, Field(gt=0)]
Price = Annotated[Decimal, _READ, _AS_TEXT, _ANY]
Symbol = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 .]{0,15}$")]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{0,16}$")]
Group = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,32}$")]
Algo = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{0,32}$")]
_TAG: Final = r"[A-Za-z0-9]{1,40}=[A-Za-z0-9 .:/_+-]{1,40}"
AlgoParams = Annotated[str, Field(pattern=rf"^({_TAG}(; ?{_TAG}){{0,19}})?$")]
