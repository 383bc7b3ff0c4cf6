-- What is older than it shall be kept: partitions, chunks, entries of the ledger.

CREATE FUNCTION ibkeeper.days_to_drop(keep_days int) RETURNS TABLE (market_table text, day date)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
SELECT t.market_table, d.day
  FROM unnest(ARRAY['quote', 'trade', 'greeks', 'instrument_stat']) AS t(market_table)
 CROSS JOIN LATERAL (
       SELECT ibkeeper.partition_days(t.market_table) AS day
        UNION SELECT (c.range_start AT TIME ZONE 'UTC')::date FROM ibkeeper.market_chunks() AS c
               WHERE c.market_table = t.market_table) AS d
 WHERE d.day < (clock_timestamp() AT TIME ZONE 'UTC')::date - keep_days
   -- The full edition of TimescaleDB has a policy for this.
   AND NOT ibkeeper.has_continuous_aggregates()
 ORDER BY d.day, t.market_table
$$;
COMMENT ON FUNCTION ibkeeper.days_to_drop IS 'Days of ticks older than keep_days.';

-- Ticks whose bars are not kept are not dropped: they would take their bars with them.
CREATE FUNCTION ibkeeper.drop_day(market_table text, a_day date, keep_days int) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '500ms' AS $$
BEGIN
    IF keep_days < 7 OR a_day >= (clock_timestamp() AT TIME ZONE 'UTC')::date - keep_days THEN
        RAISE EXCEPTION '% is not old enough', a_day USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF market_table IN ('quote', 'trade')
        AND NOT EXISTS (SELECT FROM ibkeeper.bar_day WHERE day = a_day) THEN
        RETURN 'kept: its bars are not closed';
    END IF;
    IF ibkeeper.has_timescale() THEN
        EXECUTE format('SELECT %I.drop_chunks($1, older_than => $2, newer_than => $3)',
            (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
              WHERE e.extname = 'timescaledb'))
          USING format('ibkeeper.%I', market_table)::regclass,
                ibkeeper.day_start(a_day + 1), ibkeeper.day_start(a_day);
        RETURN 'dropped';
    END IF;
    IF NOT EXISTS (SELECT FROM ibkeeper.partition_days(market_table) AS d WHERE d = a_day) THEN
        RETURN 'gone';
    END IF;
    EXECUTE format('DROP TABLE ibkeeper.%I', market_table || '_' || to_char(a_day, 'YYYYMMDD'));
    RETURN 'dropped';
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN RETURN 'busy';
END $$;
COMMENT ON FUNCTION ibkeeper.drop_day IS
    'Drops a day partition older than keep_days (at least 7), or says why not.';

-- The ledger stops a batch from being committed twice. The last hour of each spool stays whatever
-- its age: a sidecar that was down since then may still send the end of it again.
CREATE FUNCTION ibkeeper.prune_ledger(keep_days int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    n_rows bigint;
BEGIN
    IF keep_days < 7 THEN
        RAISE EXCEPTION 'the ledger is kept for 7 days at least'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM set_config('ibkeeper.upkeep', 'on', true);
    DELETE FROM ibkeeper.ingest_batch AS b
     USING (SELECT spool, max(committed_at) AS newest FROM ibkeeper.ingest_batch GROUP BY spool) AS s
     WHERE s.spool = b.spool AND b.committed_at < s.newest - interval '1 hour'
       AND b.committed_at < clock_timestamp() - make_interval(days => keep_days);
    GET DIAGNOSTICS n_rows = ROW_COUNT;
    PERFORM set_config('ibkeeper.upkeep', 'off', true);
    RETURN n_rows;
END $$;
COMMENT ON FUNCTION ibkeeper.prune_ledger IS
    'Deletes the entries of ingest_batch older than keep_days (at least 7), never the newest.';
