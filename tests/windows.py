"""Tests run at any hour: none is announced as one in which a session may be away.

In such an hour a lost session is told of later or not at all; what is tested with windows says
which.
"""

from typing import Final

NONE: Final = {"IBKEEPER_GATEWAY__NIGHTLY_RESET": "", "IBKEEPER_GATEWAY__WEEKLY_LOGIN": ""}
