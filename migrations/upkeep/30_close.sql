-- Bars of closed days on plain PostgreSQL. TimescaleDB's policies do this by themselves.

CREATE FUNCTION ibkeeper.days_to_close(late_days int) RETURNS SETOF date
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
BEGIN
    IF ibkeeper.has_continuous_aggregates() THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT day
          FROM (SELECT ibkeeper.partition_days('quote') AS day
                 UNION SELECT ibkeeper.partition_days('trade')
                 UNION SELECT s.day FROM ibkeeper.stray_days() AS s
                 UNION SELECT DISTINCT (c.range_start AT TIME ZONE 'UTC')::date
                         FROM ibkeeper.market_chunks() AS c) AS known
         WHERE day < today
           AND (day >= today - late_days
                OR day NOT IN (SELECT b.day FROM ibkeeper.bar_day AS b))
         ORDER BY day;
END $$;
COMMENT ON FUNCTION ibkeeper.days_to_close IS
    'Days that are over and whose bars are not kept, and the last ones again: ticks come late.';

-- Nothing where TimescaleDB is not installed.
CREATE FUNCTION ibkeeper.market_chunks()
RETURNS TABLE (market_table text, chunk text, range_start timestamptz, range_end timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF ibkeeper.has_timescale() THEN
        RETURN QUERY EXECUTE
            'SELECT hypertable_name::text, chunk_name::text, range_start, range_end
               FROM timescaledb_information.chunks WHERE hypertable_schema = ''ibkeeper''';
    END IF;
END $$;
COMMENT ON FUNCTION ibkeeper.market_chunks IS 'The chunks of the market tables under TimescaleDB.';

CREATE FUNCTION ibkeeper.close_day(a_day date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    day_from timestamptz := ibkeeper.day_start(a_day);
    day_to timestamptz := ibkeeper.day_start(a_day + 1);
    known record;
    n_quotes bigint;
    n_trades bigint;
BEGIN
    IF a_day >= (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION '% is not over', a_day USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('ibkeeper.bars', 0));
    SELECT * INTO known FROM ibkeeper.bar_day WHERE day = a_day;
    SELECT count(*) INTO n_quotes FROM ibkeeper.quote
     WHERE ts >= day_from AND ts < day_to
       AND quality NOT IN ('frozen', 'delayed_frozen', 'indicative');
    SELECT count(*) INTO n_trades FROM ibkeeper.trade
     WHERE ts >= day_from AND ts < day_to
       AND quality NOT IN ('frozen', 'delayed_frozen', 'indicative');
    -- Fewer than before: the ticks were dropped, and their bars shall outlive them.
    IF known.day IS NOT NULL AND n_quotes <= known.quotes AND n_trades <= known.trades THEN
        RETURN 'unchanged';
    END IF;
    PERFORM ibkeeper.keep_bars(day_from, day_to);
    INSERT INTO ibkeeper.bar_day AS b (day, quotes, trades) VALUES (a_day, n_quotes, n_trades)
        ON CONFLICT (day) DO UPDATE SET quotes = excluded.quotes, trades = excluded.trades,
                                        closed_at = clock_timestamp();
    RETURN CASE WHEN known.day IS NULL THEN 'closed' ELSE 'closed again' END
        || format(': %s quotes, %s trades', n_quotes, n_trades);
END $$;
COMMENT ON FUNCTION ibkeeper.close_day IS 'Keeps the bars of a UTC day that is over; says what it did.';

-- The minutes from the ticks, the rest from the minutes: a day of ticks is read once.
CREATE FUNCTION ibkeeper.keep_bars(day_from timestamptz, day_to timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM ibkeeper.bar_quote_kept
     WHERE step IN ('1m', '5m', '1d') AND ts >= day_from AND ts < day_to;
    DELETE FROM ibkeeper.bar_trade_kept
     WHERE step IN ('1m', '5m', '1d') AND ts >= day_from AND ts < day_to;
    INSERT INTO ibkeeper.bar_quote_kept
    SELECT '1m', date_bin('1 minute', ts, day_from), instrument_id,
           (array_agg((bid + ask) / 2 ORDER BY ts, epoch, seq)
                FILTER (WHERE bid IS NOT NULL AND ask IS NOT NULL))[1],
           max((bid + ask) / 2), min((bid + ask) / 2),
           (array_agg((bid + ask) / 2 ORDER BY ts DESC, epoch DESC, seq DESC)
                FILTER (WHERE bid IS NOT NULL AND ask IS NOT NULL))[1],
           sum(ask - bid), min(ask - bid), max(ask - bid), count(ask - bid), count(*)
      FROM ibkeeper.quote
     WHERE ts >= day_from AND ts < day_to
       AND quality NOT IN ('frozen', 'delayed_frozen', 'indicative')
     GROUP BY 2, 3;
    INSERT INTO ibkeeper.bar_trade_kept
    SELECT '1m', date_bin('1 minute', ts, day_from), instrument_id, source,
           (array_agg(price ORDER BY ts, epoch, seq))[1], max(price), min(price),
           (array_agg(price ORDER BY ts DESC, epoch DESC, seq DESC))[1],
           sum(size), sum(price * size), count(*)
      FROM ibkeeper.trade
     WHERE ts >= day_from AND ts < day_to
       AND quality NOT IN ('frozen', 'delayed_frozen', 'indicative')
     GROUP BY 2, 3, 4;
    PERFORM ibkeeper.roll_up('5m', '5 minutes', day_from, day_to);
    PERFORM ibkeeper.roll_up('1d', '1 day', day_from, day_to);
END $$;
COMMENT ON FUNCTION ibkeeper.keep_bars IS 'Makes the kept bars of a span of whole days anew.';

CREATE FUNCTION ibkeeper.roll_up(
    a_step text, width interval, day_from timestamptz, day_to timestamptz
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO ibkeeper.bar_quote_kept
    SELECT a_step, date_bin(width, ts, day_from), instrument_id,
           (array_agg(mid_open ORDER BY ts) FILTER (WHERE mid_open IS NOT NULL))[1],
           max(mid_high), min(mid_low),
           (array_agg(mid_close ORDER BY ts DESC) FILTER (WHERE mid_close IS NOT NULL))[1],
           sum(spread_sum), min(spread_min), max(spread_max), sum(two_sided), sum(quotes)
      FROM ibkeeper.bar_quote_kept
     WHERE step = '1m' AND ts >= day_from AND ts < day_to
     GROUP BY 2, 3;
    INSERT INTO ibkeeper.bar_trade_kept
    SELECT a_step, date_bin(width, ts, day_from), instrument_id, source,
           (array_agg(open ORDER BY ts))[1], max(high), min(low),
           (array_agg(close ORDER BY ts DESC))[1], sum(volume), sum(turnover), sum(trades)
      FROM ibkeeper.bar_trade_kept
     WHERE step = '1m' AND ts >= day_from AND ts < day_to
     GROUP BY 2, 3, 4;
END $$;
COMMENT ON FUNCTION ibkeeper.roll_up IS 'Makes longer kept bars from those of a minute.';
