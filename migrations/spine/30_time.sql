-- Day partitions on plain PostgreSQL, hypertables where TimescaleDB is at hand.

-- True when the four market tables shall be hypertables. An extension that is only on the disk
-- does not count: CREATE EXTENSION of an unloaded timescaledb ends the connection (FATAL).
CREATE FUNCTION ibkeeper.has_timescale() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    RETURN EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb');
END $$;
COMMENT ON FUNCTION ibkeeper.has_timescale IS 'Whether TimescaleDB is installed in this database.';

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
        OR ibkeeper.has_timescale() THEN
        RETURN;
    END IF;
    IF 'timescaledb' = ANY (
        string_to_array(replace(current_setting('shared_preload_libraries'), ' ', ''), ',')
    ) THEN
        CREATE EXTENSION timescaledb;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'timescaledb is not installed in this database and this role may not install it';
END $$;

DO $$
DECLARE
    market_table text;
    extension_schema text;
BEGIN
    SELECT n.nspname INTO extension_schema
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'timescaledb';
    FOREACH market_table IN ARRAY ARRAY['quote', 'trade', 'greeks', 'instrument_stat'] LOOP
        IF extension_schema IS NOT NULL THEN
            EXECUTE format(
                'SELECT %1$I.create_hypertable(%2$L::regclass, %3$L::name,
                     chunk_time_interval => interval ''1 day'', create_default_indexes => false)',
                extension_schema, 'ibkeeper.' || market_table, 'ts'
            );
        ELSE
            -- The table just made becomes the DEFAULT partition of one like it.
            EXECUTE format('ALTER TABLE ibkeeper.%I RENAME TO %I',
                market_table, market_table || '_stray');
            EXECUTE format('ALTER INDEX ibkeeper.%I RENAME TO %I',
                market_table || '_instrument_id_ts_idx',
                market_table || '_stray_instrument_id_ts_idx');
            EXECUTE format(
                'CREATE TABLE ibkeeper.%I (LIKE ibkeeper.%I INCLUDING ALL) PARTITION BY RANGE (ts)',
                market_table, market_table || '_stray'
            );
            EXECUTE format('COMMENT ON TABLE ibkeeper.%I IS %L', market_table,
                obj_description(format('ibkeeper.%I', market_table || '_stray')::regclass));
            EXECUTE format('COMMENT ON TABLE ibkeeper.%I IS %L', market_table || '_stray',
                'Rows of ' || market_table || ' whose day has no partition.');
            EXECUTE format('ALTER TABLE ibkeeper.%I ATTACH PARTITION ibkeeper.%I DEFAULT',
                market_table, market_table || '_stray');
        END IF;
    END LOOP;
END $$;

-- Makes the partition of one UTC day: 'exists', 'created', 'stray' (rows of that day are in the
-- stray partition and stay there, readable through the table) or 'busy' (try again later).
-- CREATE + ATTACH, not PARTITION OF: that would lock the whole table against COPY.
CREATE FUNCTION ibkeeper.ensure_partition(market_table text, a_day date) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '500ms' AS $$
DECLARE
    partition text := market_table || '_' || to_char(a_day, 'YYYYMMDD');
BEGIN
    IF to_regclass(format('ibkeeper.%I', partition)) IS NOT NULL THEN
        RETURN 'exists';
    END IF;
    EXECUTE format(
        'CREATE TABLE ibkeeper.%I (LIKE ibkeeper.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS
             INCLUDING COMMENTS)', partition, market_table);
    EXECUTE format('COMMENT ON TABLE ibkeeper.%I IS %L', partition,
        'Rows of ' || market_table || ' of ' || a_day || ' (UTC).');
    EXECUTE format('ALTER TABLE ibkeeper.%I ATTACH PARTITION ibkeeper.%I FOR VALUES FROM (%L) TO (%L)',
        market_table, partition, a_day || ' 00:00:00+00', a_day + 1 || ' 00:00:00+00');
    RETURN 'created';
EXCEPTION
    WHEN check_violation THEN RETURN 'stray';
    WHEN lock_not_available OR deadlock_detected THEN RETURN 'busy';
END $$;
COMMENT ON FUNCTION ibkeeper.ensure_partition IS
    'Makes the partition of a market table for one UTC day; never raises over its rows or locks.';

CREATE FUNCTION ibkeeper.ensure_partitions(days_ahead int)
RETURNS TABLE (partition text, outcome text)
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
BEGIN
    IF ibkeeper.has_timescale() THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('ibkeeper.partitions', 0));
    RETURN QUERY
        SELECT market_table || '_' || to_char(day, 'YYYYMMDD'),
               ibkeeper.ensure_partition(market_table, day::date)
          FROM unnest(ARRAY['quote', 'trade', 'greeks', 'instrument_stat']) AS market_table,
               generate_series(today - 1, today + days_ahead, interval '1 day') AS day
         ORDER BY 1;
END $$;
COMMENT ON FUNCTION ibkeeper.ensure_partitions IS
    'Makes the day partitions from yesterday to today + days_ahead (UTC); says what it did.';

SELECT ibkeeper.ensure_partitions(7);
