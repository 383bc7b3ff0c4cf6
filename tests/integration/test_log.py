"""A secret that was registered appears in no log line, traceback or library message."""

from __future__ import annotations

import json
import subprocess
import sys

from ibcore import log

PROGRAM = """
import logging
from ibcore import log
from ibcore.config import LogSettings
log.configure(LogSettings(format="json"))
log.hide("canary-0815")
log.get_logger("x").info("started", url="postgresql://me:s3cret@db/x", token="canary-0815")
logging.getLogger("third.party").warning("connecting with canary-0815")
try:
    raise RuntimeError("canary-0815 in the message")
except RuntimeError:
    log.get_logger("x").exception("failed")
"""


def test_secrets_are_masked_in_fields_messages_and_tracebacks():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert "canary-0815" not in done.stderr
    assert "s3cret" not in done.stderr
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert events[0]["event"] == "started"
    assert all(event["at"].endswith("Z") for event in events)
    assert "RuntimeError" in events[-1]["exception"]


def test_passwords_in_urls_are_masked_without_being_registered():
    assert log.mask("redis://user:hunter2@host/0") == "redis://user:**********@host/0"
