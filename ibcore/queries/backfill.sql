-- Backfill: what to ask IB for, and what came back. Written as ibcore/queries.sql says.

-- gaps_to_fill --
-- One row an instrument of a gap that is over and that nobody asked for yet, first things first.
-- A gap without an instrument is one of every line that was wanted before it ended. What still
-- grows (losses of one cause within seconds are one gap) is left for the next time.
SELECT g.id AS gap_id, g.cause, g.from_ts, g.to_ts, i.id AS instrument_id, i.con_id, i.symbol,
       i.sec_type, i.exchange, i.currency
  FROM ibkeeper.v_gap g
  JOIN ibkeeper.watch w
    ON w.sidecar = g.sidecar AND w.created_at < g.to_ts
   AND (g.instrument_id IS NULL OR g.instrument_id = w.instrument_id)
  JOIN ibkeeper.instrument i ON i.id = w.instrument_id
 WHERE g.sidecar = %(sidecar)s AND g.to_ts IS NOT NULL AND g.seconds >= %(shortest_s)s
   AND g.to_ts > now() - make_interval(days => %(lookback_days)s)
   AND (g.id IS NULL OR g.instrument_id IS NOT NULL OR g.to_ts < now() - interval '15 seconds')
   AND NOT EXISTS (SELECT FROM ibkeeper.gap_fill f
                    WHERE f.sidecar = g.sidecar AND f.instrument_id = i.id
                      AND f.from_ts = g.from_ts AND f.to_ts = g.to_ts)
 ORDER BY w.priority, g.from_ts, w.id, g.to_ts;

-- gap_fill_insert --
-- No row: it was filled by somebody else meanwhile, and nothing may be stored twice.
INSERT INTO ibkeeper.gap_fill (sidecar, instrument_id, cause, from_ts, to_ts, state, source, quotes,
                               trades, bars, reason, request_id)
VALUES (%(sidecar)s, %(instrument_id)s, %(cause)s, %(from_ts)s, %(to_ts)s, %(state)s, %(source)s,
        %(quotes)s, %(trades)s, %(bars)s, %(reason)s, %(request_id)s)
ON CONFLICT ON CONSTRAINT gap_fill_once DO NOTHING
RETURNING id;

-- feed_gap_filled --
-- The row of the loss itself says that something of it came back.
UPDATE ibkeeper.feed_gap SET filled_by = %(filled_by)s, filled_at = clock_timestamp()
 WHERE id = %(gap_id)s AND filled_by IS NULL;

-- copy_backfill_quote --
-- Some thousands of rows a gap.
COPY ibkeeper.backfill_quote (fill_id, instrument_id, ts, place, bid, bid_size, ask, ask_size)
     FROM STDIN;

-- copy_backfill_trade --
-- Some thousands of rows a gap.
COPY ibkeeper.backfill_trade (fill_id, instrument_id, ts, place, price, size, exchange, conditions)
     FROM STDIN;

-- copy_backfill_bar --
-- One row a minute and kind.
COPY ibkeeper.backfill_bar (fill_id, instrument_id, ts, kind, open, high, low, close, volume, vwap,
                            trades) FROM STDIN;

-- gap_fills --
-- What became of each instrument of the gaps that one request asked for.
SELECT i.symbol, i.local_symbol, f.cause, f.from_ts, f.to_ts, f.state, f.source, f.quotes, f.trades,
       f.bars, f.reason
  FROM ibkeeper.gap_fill f JOIN ibkeeper.instrument i ON i.id = f.instrument_id
 WHERE f.request_id = %(request_id)s
 ORDER BY f.from_ts, i.symbol, i.local_symbol;
