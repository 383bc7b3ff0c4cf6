"""Alpaca, the backup vendor: is it reached, are the keys taken, is each feed allowed?

Its streams are not opened: an account has one connection a feed, and the sidecar's would be
refused. One question of its REST interface a feed says the same of keys and subscription.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import anyio
import httpx
from pydantic import SecretStr

from ibcore.config import AlpacaSettings
from ibcore.doctor.finding import Finding, ok, skipped, warning

NAMES: Final = ("alpaca", "alpaca stream", "alpaca stocks", "alpaca options")
TIMEOUT_S: Final = 5.0
# What each feed is, in words: a lesser one has been accepted by name, and is named here.
FEEDS: Final = {
    "sip": "the whole market, live",
    "iex": "one exchange of many: a part of the market",
    "delayed_sip": "the whole market, 15 minutes late",
    "opra": "the whole market, live",
    "indicative": "no quotes of the market: derived by Alpaca, trades 15 minutes late",
}
_STOCKS: Final = ("/v2/stocks/quotes/latest", "SPY")
# Any symbol will do, also of an option that has expired: who may not ask is told so first.
_OPTIONS: Final = ("/v1beta1/options/snapshots", "SPY240119C00470000")


class Question(NamedTuple):
    """What is asked of one feed."""

    name: str
    path: str
    symbols: str
    feed: str


class Answer(NamedTuple):
    """What came of it; status 0: nothing did, and `told` says why."""

    status: int
    told: str


async def look(settings: AlpacaSettings) -> list[Finding]:
    """Return what was found; at worst a warning: nothing leans on a backup while all is well."""
    if not settings.is_set:
        return [skipped(NAMES[0], "no key is set: it is no backup here")]
    asked = (
        Question(NAMES[2], *_STOCKS, settings.stock_feed),
        Question(NAMES[3], *_OPTIONS, settings.option_feed),
    )
    headers = {
        "APCA-API-KEY-ID": _plain(settings.key_id),
        "APCA-API-SECRET-KEY": _plain(settings.secret_key),
    }
    async with httpx.AsyncClient(
        base_url=settings.data_url, headers=headers, timeout=TIMEOUT_S
    ) as client:
        answers = [await _ask(client, each) for each in asked]
    found = [_keys(settings, answers), await _stream(settings.stream_url)]
    if found[0].verdict != "ok":
        return [*found, *(skipped(each.name, "the keys are not proven") for each in asked)]
    return [*found, *map(judge, asked, answers)]


async def _ask(client: httpx.AsyncClient, question: Question) -> Answer:
    query = {"symbols": question.symbols, "feed": question.feed}
    try:
        answer = await client.get(question.path, params=query)
    except httpx.HTTPError as away:
        return Answer(0, type(away).__name__)
    return Answer(answer.status_code, _words(answer))


def _keys(settings: AlpacaSettings, answers: list[Answer]) -> Finding:
    name, where = NAMES[0], httpx.URL(settings.data_url).host
    if all(each.status == 0 for each in answers):
        remedy = "Check the network and IBKEEPER_ALPACA__DATA_URL."
        return warning(name, f"{where} does not answer ({answers[0].told})", remedy)
    if all(_unknown(each) for each in answers):
        remedy = "Set IBKEEPER_ALPACA__KEY_ID and __SECRET_KEY to the keys that Alpaca shows."
        return warning(name, f"{where} does not know the keys ({answers[0].told})", remedy)
    return ok(name, f"{where} answers and takes the keys")


def judge(question: Question, answer: Answer) -> Finding:
    """Judge whether the account may have a feed, and say what it is."""
    seen = f"{question.feed}: {FEEDS[question.feed]}"
    if answer.status == 200:
        return ok(question.name, seen)
    if answer.status == 403:
        remedy = "Subscribe to this feed at Alpaca (OPRA needs a signed agreement too), or choose "
        remedy += "another with IBKEEPER_ALPACA__STOCK_FEED or __OPTION_FEED."
        return warning(question.name, f"{seen}; refused: {answer.told}", remedy)
    remedy = "Ask again; what lasts is told at status.alpaca.markets."
    return warning(question.name, f"{seen}; HTTP {answer.status}: {answer.told}", remedy)


async def _stream(url: str) -> Finding:
    name, parts = NAMES[1], httpx.URL(url)
    port = parts.port or {"wss": 443, "ws": 80}[parts.scheme]
    try:
        with anyio.fail_after(TIMEOUT_S):
            await (await anyio.connect_tcp(parts.host, port)).aclose()
    except OSError as away:  # TimeoutError is one
        remedy = "Check the network and IBKEEPER_ALPACA__STREAM_URL."
        return warning(
            name, f"{parts.host}:{port} cannot be reached ({type(away).__name__})", remedy
        )
    return ok(name, f"{parts.host}:{port} takes connections; none is opened, an account has one")


def _unknown(answer: Answer) -> bool:
    """Say whether it is the keys that were refused, and not what they asked for."""
    refused = answer.status == 403 and "subscription" not in answer.told
    return answer.status == 401 or (refused and "agreement" not in answer.told)


def _words(answer: httpx.Response) -> str:
    try:
        told: Any = answer.json()
    except ValueError:
        told = None
    words = told.get("message") if isinstance(told, dict) else None
    return str(words or answer.reason_phrase)[:200]


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
