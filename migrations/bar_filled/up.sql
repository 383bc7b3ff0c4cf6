-- Bars without the holes: where a minute has no live bar, what IB's history had of it. One row a
-- minute, and UNION ALL under GROUP BY, so that conditions on ts and instrument reach the tables.
-- A minute that was recorded in part stays as it was recorded: no bar is made of both.

DO $$
DECLARE
    numbers text[] := ARRAY['mid_open', 'mid_high', 'mid_low', 'mid_close', 'open', 'high', 'low',
                            'close', 'volume', 'vwap', 'trades'];
    chosen text;
BEGIN
    SELECT string_agg(format('CASE WHEN bool_or(live) THEN max(%1$I) FILTER (WHERE live)
                                   ELSE max(%1$I) END AS %1$I', name), ', ' ORDER BY place)
      INTO chosen FROM unnest(numbers) WITH ORDINALITY AS n (name, place);
    EXECUTE format($view$
        CREATE VIEW ibkeeper.v_bar_1m_filled AS
        SELECT ts, instrument_id, %s, NOT bool_or(live) AS backfilled
          FROM (SELECT ts, instrument_id, true AS live, mid_open, mid_high, mid_low, mid_close,
                       open, high, low, close, volume, vwap, trades
                  FROM ibkeeper.bar_1m
                 UNION ALL
                SELECT ts, instrument_id, false, open, high, low, close, NULL, NULL, NULL, NULL,
                       NULL, NULL, 0
                  FROM ibkeeper.backfill_bar
                 WHERE kind = 'midpoint'
                 UNION ALL
                SELECT ts, instrument_id, false, NULL, NULL, NULL, NULL, open, high, low, close,
                       volume, vwap, trades
                  FROM ibkeeper.backfill_bar
                 WHERE kind = 'trades'
                 UNION ALL
                SELECT date_bin('1 minute', ts, timestamptz '2000-01-01 00:00+00'), instrument_id,
                       false,
                       (array_agg((bid + ask) / 2 ORDER BY ts, place)
                            FILTER (WHERE bid IS NOT NULL AND ask IS NOT NULL))[1],
                       max((bid + ask) / 2), min((bid + ask) / 2),
                       (array_agg((bid + ask) / 2 ORDER BY ts DESC, place DESC)
                            FILTER (WHERE bid IS NOT NULL AND ask IS NOT NULL))[1],
                       NULL, NULL, NULL, NULL, NULL, NULL, 0
                  FROM ibkeeper.backfill_quote
                 GROUP BY 1, 2
                 UNION ALL
                SELECT date_bin('1 minute', ts, timestamptz '2000-01-01 00:00+00'), instrument_id,
                       false, NULL, NULL, NULL, NULL,
                       (array_agg(price ORDER BY ts, place))[1], max(price), min(price),
                       (array_agg(price ORDER BY ts DESC, place DESC))[1],
                       sum(size), sum(price * size) / nullif(sum(size), 0), count(*)
                  FROM ibkeeper.backfill_trade
                 GROUP BY 1, 2
               ) AS side
         GROUP BY instrument_id, ts$view$, chosen);
END $$;
COMMENT ON VIEW ibkeeper.v_bar_1m_filled IS
    'bar_1m, and where it has no bar, what was backfilled of the minute; backfilled says which is which.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.ts IS 'Start of the bar.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.instrument_id IS 'instrument.id.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.mid_open IS 'First mid price of the bar.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.mid_high IS 'Highest mid price.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.mid_low IS 'Lowest mid price.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.mid_close IS 'Last mid price.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.open IS 'Price of the first print.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.high IS 'Highest price of a print.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.low IS 'Lowest price of a print.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.close IS 'Price of the last print.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.volume IS 'Sum of the sizes of the prints, in shares or contracts.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.vwap IS 'Volume-weighted mean price of the prints.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.trades IS 'Prints.';
COMMENT ON COLUMN ibkeeper.v_bar_1m_filled.backfilled IS 'True: not recorded live; from IB''s history.';
