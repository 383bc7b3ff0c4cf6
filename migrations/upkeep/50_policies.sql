-- TimescaleDB: compression and retention as its own background jobs, set from our settings.

CREATE FUNCTION ibkeeper.apply_policies(compress_days int, keep_days int)
RETURNS TABLE (market_table text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF keep_days < 7 THEN
        RAISE EXCEPTION 'ticks are kept for 7 days at least'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT ibkeeper.has_continuous_aggregates() THEN
        RETURN;
    END IF;
    FOREACH market_table IN ARRAY ARRAY['quote', 'trade', 'greeks', 'instrument_stat'] LOOP
        outcome := ibkeeper.apply_policy(market_table, 'compression', compress_days);
        RETURN NEXT;
        outcome := ibkeeper.apply_policy(market_table, 'retention', keep_days);
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION ibkeeper.apply_policies IS
    'Sets when ticks are compressed and dropped (NULL: never); nothing without TimescaleDB.';

CREATE FUNCTION ibkeeper.apply_policy(market_table text, kind text, after_days int) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    hypertable regclass := format('ibkeeper.%I', market_table);
    field text := CASE kind WHEN 'compression' THEN 'compress_after' ELSE 'drop_after' END;
    extension_schema name := (SELECT n.nspname FROM pg_extension e
                                JOIN pg_namespace n ON n.oid = e.extnamespace
                               WHERE e.extname = 'timescaledb');
    found text;
BEGIN
    EXECUTE 'SELECT config ->> $1 FROM timescaledb_information.jobs
              WHERE hypertable_schema = ''ibkeeper'' AND hypertable_name = $2 AND proc_name = $3'
       INTO found USING field, market_table, 'policy_' || kind;
    IF found::interval IS NOT DISTINCT FROM make_interval(days => after_days) THEN
        RETURN kind || ' after ' || coalesce(found, 'never') || ': unchanged';
    END IF;
    IF kind = 'compression' AND after_days IS NOT NULL THEN
        PERFORM ibkeeper.allow_compression(market_table);
    END IF;
    EXECUTE format('SELECT %I.remove_%s_policy($1, if_exists => true)', extension_schema, kind)
      USING hypertable;
    IF after_days IS NOT NULL THEN
        EXECUTE format('SELECT %I.add_%s_policy($1, make_interval(days => $2))',
            extension_schema, kind) USING hypertable, after_days;
    END IF;
    RETURN kind || ' after ' || coalesce(make_interval(days => after_days)::text, 'never') || ': set';
END $$;
COMMENT ON FUNCTION ibkeeper.apply_policy IS 'Sets one policy of one market table, if it differs.';

CREATE FUNCTION ibkeeper.allow_compression(market_table text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    enabled boolean;
BEGIN
    EXECUTE 'SELECT compression_enabled FROM timescaledb_information.hypertables
              WHERE hypertable_schema = ''ibkeeper'' AND hypertable_name = $1'
       INTO enabled USING market_table;
    IF NOT enabled THEN
        EXECUTE format('ALTER TABLE ibkeeper.%I SET (timescaledb.compress,
            timescaledb.compress_segmentby = ''instrument_id'',
            timescaledb.compress_orderby = ''ts, epoch, seq'')', market_table);
    END IF;
END $$;
COMMENT ON FUNCTION ibkeeper.allow_compression IS
    'Lets chunks be compressed: a segment an instrument, in the order of time.';
