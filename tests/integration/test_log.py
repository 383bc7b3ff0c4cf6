"""A secret that was registered appears in no log line, traceback or library message."""

from __future__ import annotations

import json
import subprocess
import sys

from ibcore import log
from tests.canary import PASSWORD, SONG, silent

WORD = f"{SONG}-0815"
PROGRAM = """
import logging
from ibcore import log
from ibcore.config import LogSettings
log.configure(LogSettings(format="json"))
log.hide("{word}")
log.get_logger("x").info("started", url="postgresql://me:{password}@db/x", token="{word}")
logging.getLogger("third.party").warning("connecting with {word}")
try:
    raise RuntimeError("{word} in the message")
except RuntimeError:
    log.get_logger("x").exception("failed")
"""


def test_secrets_are_masked_in_fields_messages_and_tracebacks():
    code = PROGRAM.format(word=WORD, password=PASSWORD)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "started" in silent(done.stderr)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert events[0]["event"] == "started"
    assert all(event["at"].endswith("Z") for event in events)
    assert "RuntimeError" in events[-1]["exception"]


def test_passwords_in_urls_are_masked_without_being_registered():
    assert log.mask(f"redis://user:{PASSWORD}@host/0") == "redis://user:**********@host/0"
