"""What the recipes of docs/sql.md are run on: a recording, stretched, with days before it.

A sidecar records two stocks and four options from a simulated gateway that runs fast, and takes a
chain snapshot. The few seconds are then stretched to twenty minutes that end now, and copied
to the two days before; the snapshots of those days differ in open interest and volatility.
Many quotes of nobody's instruments are added, so that the planner has something to avoid.
"""

from __future__ import annotations

import json

import anyio
import psycopg

from ibcore.chain import KIND
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import stock
from ibcore.sim.server import Gateway, SimConfig
from tests.integration.recording import select, until
from tests.integration.streaming import streaming, watch

TICKS = 6_000
# No promise is held to it: a busy machine may take its time.
PATIENCE_S = 50.0
MARKET = ("quote", "trade", "greeks", "instrument_stat")
_ASK = "INSERT INTO ibkeeper.request (kind, payload, deadline_at) VALUES (%s, %s, now() + '1 min')"
_TIMED = "SELECT FROM ibkeeper.feed_minute WHERE latency_p99_ms > 0"
_SNAPSHOT = {"underlying": "SPY", "expiries": 3, "strikes": 8}

# Stretched to end now; then the same twenty minutes of the two days before.
_MOVE = b"""
CREATE TEMP TABLE recorded AS SELECT * FROM ibkeeper.%(table)s;
TRUNCATE ibkeeper.%(table)s;
WITH span AS (SELECT max(recv_ts) AS last,
                     interval '20 minutes' / extract(epoch FROM max(recv_ts) - min(recv_ts)) AS k
                FROM recorded)
UPDATE recorded
   SET recv_ts = now() - extract(epoch FROM last - recv_ts)::float8 * k,
       ts = now() - extract(epoch FROM last - greatest(ts, recv_ts))::float8 * k
  FROM span;
INSERT INTO ibkeeper.%(table)s SELECT * FROM recorded;
UPDATE recorded SET ts = ts - interval '1 day', recv_ts = recv_ts - interval '1 day';
INSERT INTO ibkeeper.%(table)s SELECT * FROM recorded;
UPDATE recorded SET ts = ts - interval '1 day', recv_ts = recv_ts - interval '1 day';
INSERT INTO ibkeeper.%(table)s SELECT * FROM recorded;
DROP TABLE recorded;
"""
_NOISE = b"""
INSERT INTO ibkeeper.quote (ts, recv_ts, instrument_id, seq, epoch, provider, quality, tick_type,
                            bid, bid_size, ask, ask_size)
SELECT now() - (60000 - n) * interval '3 seconds', now(), 1000000 + n % 1009, n, 0, 'ib', 'live', 1,
       10, 1, 10.01, 1
  FROM generate_series(1, 60000) AS n
 UNION ALL
SELECT now() - n * interval '40 milliseconds', now(), 1000000 + n % 1009, n, 0, 'ib', 'live', 1,
       10, 1, 10.01, 1
  FROM generate_series(1, 30000) AS n;
INSERT INTO ibkeeper.trade (ts, recv_ts, instrument_id, seq, epoch, provider, quality, tick_type,
                            source, price, size)
SELECT ts, recv_ts, instrument_id, seq, epoch, provider, quality, tick_type, 'last', bid, 1
  FROM ibkeeper.quote WHERE instrument_id >= 1000000;
INSERT INTO ibkeeper.greeks (ts, recv_ts, instrument_id, seq, epoch, provider, quality, kind, iv)
SELECT ts, recv_ts, instrument_id, seq, epoch, provider, quality, 'model', 0.2
  FROM ibkeeper.quote WHERE instrument_id >= 1000000;
INSERT INTO ibkeeper.instrument_stat (ts, recv_ts, instrument_id, seq, epoch, provider, quality,
                                      tick_type, field, value)
SELECT ts, recv_ts, instrument_id, seq, epoch, provider, quality, 49, 'halted', 0
  FROM ibkeeper.quote WHERE instrument_id >= 1000000;
INSERT INTO ibkeeper.instrument (con_id, symbol, sec_type, exchange, currency)
SELECT 900000000 + n, 'NOBODY', 'NEWS', 'SMART', 'USD' FROM generate_series(1, 2000) AS n;
"""
_KEPT = b"""
INSERT INTO ibkeeper.bar_quote_kept (step, ts, instrument_id, two_sided, quotes)
SELECT step, now()::date - bar, 1000000 + instrument, 1, 1
  FROM unnest(ARRAY['1m', '1d']) AS step, generate_series(3, 90) AS bar,
       generate_series(1, 100) AS instrument
    ON CONFLICT DO NOTHING  -- before 02:00 UTC the noise of fifty hours is closed on the third day
"""
_SNAPSHOTS = b"""
WITH taken AS (SELECT * FROM ibkeeper.chain_snapshot),
     day AS (SELECT gen_random_uuid() AS id, t.id AS of, back FROM taken t,
                    generate_series(1, 2) AS back),
     copied AS (INSERT INTO ibkeeper.chain_snapshot
                SELECT d.id, NULL, t.underlying_id, t.taken_at - d.back * interval '1 day',
                       t.exchange, t.trading_class, t.spot, t.expected, t.complete, t.partial,
                       t.missing, t.seconds, t.quality, t.params
                  FROM taken t JOIN day d ON d.of = t.id)
INSERT INTO ibkeeper.chain_quote
SELECT d.id, q.instrument_id, q.expiry, q.strike, q."right", q.state, q.missing_fields, q.bid,
       q.bid_size, q.ask, q.ask_size, q.last, q.last_size, q.volume,
       greatest(0, q.open_interest - d.back * (q.strike::int % 97)), q.iv + 0.006 * d.back, q.delta,
       q.gamma, q.vega, q.theta, q.option_price, q.underlying_price, q.quality, q.recv_ts
  FROM ibkeeper.chain_quote q JOIN day d ON d.of = q.snapshot_id;
INSERT INTO ibkeeper.chain_snapshot (underlying_id, taken_at, expected, complete, partial, missing,
                                     seconds)
SELECT id, now() - n * interval '1 day', 0, 0, 0, 0, 1
  FROM ibkeeper.instrument, generate_series(1, 10) AS n
 WHERE symbol = 'NOBODY';
INSERT INTO ibkeeper.chain_quote (snapshot_id, instrument_id, state)
SELECT s.id, i.id, 'missing'
  FROM (SELECT id FROM ibkeeper.chain_snapshot WHERE expected = 0 LIMIT 40) AS s,
       (SELECT id FROM ibkeeper.instrument WHERE symbol = 'NOBODY' LIMIT 250) AS i;
"""


def tell(url: str) -> None:
    """Fill the migrated, empty database at `url`."""
    anyio.run(_record, url)
    with psycopg.connect(url, autocommit=True) as conn:
        for table in MARKET:
            conn.execute(_MOVE.replace(b"%(table)s", table.encode()))
        conn.execute(_NOISE)
        conn.execute(_SNAPSHOTS)
        conn.execute("SELECT ibkeeper.close_day(day) FROM ibkeeper.days_to_close(3) AS day")
        if conn.execute("SELECT to_regclass('ibkeeper.bar_quote_kept')").fetchone() != (None,):
            conn.execute(_KEPT)
        conn.execute("ANALYZE")


async def _record(url: str) -> None:
    config = SimConfig(symbols=("AAPL", "SPY"), cadence_scale=0.05)
    async with Gateway(config) as gateway:
        options = gateway.source.universe.options("SPY")
        spot = gateway.source.spot_of(stock(CATALOGUE["SPY"]))
        near = sorted(options, key=lambda o: (o.expiry, abs(o.strike - spot)))[:4]
        watch(url, [*(stock(CATALOGUE[symbol]) for symbol in config.symbols), *near])
        async with streaming(url, gateway) as parts:
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute(_ASK, [KIND, json.dumps(_SNAPSHOT)])
            await until(lambda: _snapshot_taken(url), within_s=PATIENCE_S)
            await until(lambda: parts.recorder.stats().ticks_total > TICKS, within_s=PATIENCE_S)
            await until(lambda: bool(select(url, _TIMED)), within_s=PATIENCE_S)


def _snapshot_taken(url: str) -> bool:
    states = select(url, "SELECT state, error FROM ibkeeper.request")
    assert states[0][0] in {"requested", "claimed", "completed"}, states
    return bool(states[0][0] == "completed")
