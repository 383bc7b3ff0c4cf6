-- What the server can do, and what counts as a bar's tick.

-- TimescaleDB's Apache edition has hypertables and no continuous aggregates.
CREATE FUNCTION ibkeeper.has_continuous_aggregates() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
SELECT ibkeeper.has_timescale() AND current_setting('timescaledb.license', true) = 'timescale'
$$;
COMMENT ON FUNCTION ibkeeper.has_continuous_aggregates IS
    'Whether bars are continuous aggregates here, or kept by ibkeeper.';

-- The best of the sources that print by print tell the same trades, 1 first.
CREATE FUNCTION ibkeeper.source_rank(source text) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE source WHEN 'tick_by_tick' THEN 1 WHEN 'rt_trade_volume' THEN 2
                   WHEN 'rt_volume' THEN 3 ELSE 4 END
$$;
COMMENT ON FUNCTION ibkeeper.source_rank IS
    'Which trade.source a bar is made of when there are several: the lowest.';
