-- The names that stay: one row a bar, quotes and trades side by side. UNION ALL under GROUP BY and
-- not FULL JOIN: a condition on ts would not reach the tables through the join.

DO $$
DECLARE
    step record;
    kind text;
BEGIN
    FOR step IN VALUES ('1m', 'minute'), ('5m', 'five minutes'), ('1d', 'UTC day') LOOP
        EXECUTE format($view$
            CREATE VIEW ibkeeper.bar_%1$s AS
            SELECT ts, instrument_id,
                   max(mid_open) AS mid_open, max(mid_high) AS mid_high, max(mid_low) AS mid_low,
                   max(mid_close) AS mid_close, max(spread_avg) AS spread_avg,
                   max(spread_min) AS spread_min, max(spread_max) AS spread_max,
                   max(quotes) AS quotes, max(open) AS open, max(high) AS high, max(low) AS low,
                   max(close) AS close, max(volume) AS volume, max(vwap) AS vwap,
                   max(trades) AS trades, max(trade_source) AS trade_source
              FROM (SELECT ts, instrument_id, mid_open, mid_high, mid_low, mid_close,
                           spread_sum / nullif(two_sided, 0) AS spread_avg, spread_min,
                           spread_max, quotes, NULL::float8 AS open, NULL::float8 AS high,
                           NULL::float8 AS low, NULL::float8 AS close, NULL::float8 AS volume,
                           NULL::float8 AS vwap, 0::bigint AS trades, NULL::text AS trade_source
                      FROM ibkeeper.bar_%1$s_quote
                     UNION ALL
                    SELECT ts, instrument_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0,
                           open, high, low, close, volume, turnover / nullif(volume, 0), trades,
                           source
                      FROM (SELECT DISTINCT ON (instrument_id, ts) *
                              FROM ibkeeper.bar_%1$s_trade
                             ORDER BY instrument_id, ts, ibkeeper.source_rank(source)) AS best
                   ) AS side
             GROUP BY instrument_id, ts$view$, step.column1);
        EXECUTE format('COMMENT ON VIEW ibkeeper.bar_%s IS %L', step.column1,
            'One row for each ' || step.column2 || ' of an instrument that had a quote or a trade.');
        FOREACH kind IN ARRAY ARRAY['quote', 'trade'] LOOP
            EXECUTE format('COMMENT ON VIEW ibkeeper.bar_%s_%s IS %L', step.column1, kind,
                'What bar_' || step.column1 || ' is made of: its ' || kind || 's.');
        END LOOP;
    END LOOP;
END $$;

DO $$
DECLARE
    step text;
    about record;
BEGIN
    FOREACH step IN ARRAY ARRAY['1m', '5m', '1d'] LOOP
        FOR about IN VALUES
            ('ts', 'Start of the bar.'),
            ('instrument_id', 'instrument.id.'),
            ('mid_open', 'First mid price ((bid + ask) / 2) of the bar.'),
            ('mid_high', 'Highest mid price.'),
            ('mid_low', 'Lowest mid price.'),
            ('mid_close', 'Last mid price.'),
            ('spread_avg', 'Mean of ask minus bid over the quotes, not over time.'),
            ('spread_min', 'Smallest ask minus bid; below 0: crossed.'),
            ('spread_max', 'Largest ask minus bid.'),
            ('quotes', 'Quotes; frozen and indicative ones are in no bar.'),
            ('open', 'Price of the first print.'),
            ('high', 'Highest price of a print.'),
            ('low', 'Lowest price of a print.'),
            ('close', 'Price of the last print.'),
            ('volume', 'Sum of the sizes of the prints, in shares or contracts.'),
            ('vwap', 'Volume-weighted mean price of the prints.'),
            ('trades', 'Prints.'),
            ('trade_source', 'Which trade.source the prints are of: the best that the bar has.')
        LOOP
            EXECUTE format('COMMENT ON COLUMN ibkeeper.bar_%s.%I IS %L',
                step, about.column1, about.column2);
        END LOOP;
    END LOOP;
END $$;
