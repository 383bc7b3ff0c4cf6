-- Bars as continuous aggregates: the minute from the ticks, five minutes and the day from the
-- minute. Real-time: what is not materialized yet is computed from the ticks on reading.
-- array_agg and not first(): ticks of one packet share ts, and first() takes any of them.

CREATE MATERIALIZED VIEW ibkeeper.bar_1m_quote
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT public.time_bucket('1 minute', ts) AS ts, instrument_id,
       (array_agg((bid + ask) / 2 ORDER BY ts, epoch, seq)
            FILTER (WHERE bid IS NOT NULL AND ask IS NOT NULL))[1] AS mid_open,
       max((bid + ask) / 2) AS mid_high,
       min((bid + ask) / 2) AS mid_low,
       (array_agg((bid + ask) / 2 ORDER BY ts DESC, epoch DESC, seq DESC)
            FILTER (WHERE bid IS NOT NULL AND ask IS NOT NULL))[1] AS mid_close,
       sum(ask - bid) AS spread_sum, min(ask - bid) AS spread_min, max(ask - bid) AS spread_max,
       count(ask - bid) AS two_sided, count(*) AS quotes
  FROM ibkeeper.quote
 WHERE quality NOT IN ('frozen', 'delayed_frozen', 'indicative')
 GROUP BY 1, 2
  WITH NO DATA;

CREATE MATERIALIZED VIEW ibkeeper.bar_1m_trade
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT public.time_bucket('1 minute', ts) AS ts, instrument_id, source,
       (array_agg(price ORDER BY ts, epoch, seq))[1] AS open,
       max(price) AS high, min(price) AS low,
       (array_agg(price ORDER BY ts DESC, epoch DESC, seq DESC))[1] AS close,
       sum(size) AS volume, sum(price * size) AS turnover, count(*) AS trades
  FROM ibkeeper.trade
 WHERE quality NOT IN ('frozen', 'delayed_frozen', 'indicative')
 GROUP BY 1, 2, 3
  WITH NO DATA;

DO $$
DECLARE
    step record;
BEGIN
    FOR step IN VALUES ('5m', '5 minutes'), ('1d', '1 day') LOOP
        EXECUTE format($view$
            CREATE MATERIALIZED VIEW ibkeeper.bar_%1$s_quote
            WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
            SELECT public.time_bucket(%2$L, ts) AS ts, instrument_id,
                   (array_agg(mid_open ORDER BY ts) FILTER (WHERE mid_open IS NOT NULL))[1]
                       AS mid_open,
                   max(mid_high) AS mid_high, min(mid_low) AS mid_low,
                   (array_agg(mid_close ORDER BY ts DESC) FILTER (WHERE mid_close IS NOT NULL))[1]
                       AS mid_close,
                   sum(spread_sum) AS spread_sum, min(spread_min) AS spread_min,
                   max(spread_max) AS spread_max, sum(two_sided)::bigint AS two_sided,
                   sum(quotes)::bigint AS quotes
              FROM ibkeeper.bar_1m_quote
             GROUP BY 1, 2
              WITH NO DATA$view$, step.column1, step.column2);
        EXECUTE format($view$
            CREATE MATERIALIZED VIEW ibkeeper.bar_%1$s_trade
            WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
            SELECT public.time_bucket(%2$L, ts) AS ts, instrument_id, source,
                   (array_agg(open ORDER BY ts))[1] AS open,
                   max(high) AS high, min(low) AS low,
                   (array_agg(close ORDER BY ts DESC))[1] AS close,
                   sum(volume) AS volume, sum(turnover) AS turnover,
                   sum(trades)::bigint AS trades
              FROM ibkeeper.bar_1m_trade
             GROUP BY 1, 2, 3
              WITH NO DATA$view$, step.column1, step.column2);
    END LOOP;
END $$;

-- A tick that comes up to three days late still finds its way into the bars.
DO $$
DECLARE
    kind text;
BEGIN
    FOREACH kind IN ARRAY ARRAY['quote', 'trade'] LOOP
        PERFORM public.add_continuous_aggregate_policy('ibkeeper.bar_1m_' || kind,
            start_offset => interval '3 days', end_offset => interval '2 minutes',
            schedule_interval => interval '5 minutes');
        PERFORM public.add_continuous_aggregate_policy('ibkeeper.bar_5m_' || kind,
            start_offset => interval '3 days', end_offset => interval '10 minutes',
            schedule_interval => interval '10 minutes');
        PERFORM public.add_continuous_aggregate_policy('ibkeeper.bar_1d_' || kind,
            start_offset => interval '4 days', end_offset => interval '1 day',
            schedule_interval => interval '1 hour');
    END LOOP;
END $$;
