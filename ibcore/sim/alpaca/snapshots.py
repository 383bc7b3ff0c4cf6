"""The answers of `GET /v1beta1/options/snapshots`, in pages in the order of the symbols, and of
`GET /v2/stocks/quotes/latest`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from ibcore.sim.alpaca.rules import OPTION_FEEDS, STOCK_FEEDS, Rules

PATH: Final = "/v1beta1/options/snapshots"
QUOTES: Final = "/v2/stocks/quotes/latest"
MOST_SYMBOLS: Final = 100


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    body: str
    headers: Mapping[str, str] = {}


def answer(
    target: str, headers: Mapping[str, str], known: Mapping[str, Any], rules: Rules
) -> Answer:
    """Answer a request; `target` is path and query, `known` the snapshots by symbol."""
    url = urlsplit(target)
    keys = (headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY"))
    if url.path not in (PATH, QUOTES):
        return _refusal(404, "endpoint not found.")
    if keys != (rules.key_id, rules.secret_key):
        return _refusal(403, "forbidden.")
    query = {name: values[-1] for name, values in parse_qs(url.query).items()}
    symbols = sorted(set(query.get("symbols", "").split(",")) - {""})
    if not symbols or len(symbols) > MOST_SYMBOLS:
        return _refusal(400, "invalid symbols.")
    feeds, usual = (OPTION_FEEDS, "indicative") if url.path == PATH else (STOCK_FEEDS, "sip")
    feed = query.get("feed", usual)
    if feed not in feeds & rules.feeds:
        return _refusal(403, f"subscription does not permit querying {feed} data.")
    return _page(symbols, known, query, rules) if url.path == PATH else _quotes(symbols, known)


def _quotes(symbols: list[str], known: Mapping[str, Any]) -> Answer:
    found = {symbol: known[symbol]["latestQuote"] for symbol in symbols if symbol in known}
    return Answer(200, json.dumps({"quotes": found}))


def _page(
    symbols: list[str], known: Mapping[str, Any], query: Mapping[str, str], rules: Rules
) -> Answer:
    found = [symbol for symbol in symbols if symbol in known]
    found = [symbol for symbol in found if symbol > query.get("page_token", "")]
    page = found[: min(rules.page, int(query.get("limit", MOST_SYMBOLS)))]
    token = page[-1] if len(page) < len(found) else None
    told = {"snapshots": {symbol: known[symbol] for symbol in page}, "next_page_token": token}
    return Answer(200, json.dumps(told))


def _refusal(status: int, words: str) -> Answer:
    return Answer(status, json.dumps({"message": words}))
