-- Day partitions of plain PostgreSQL: which there are, and strays brought home.

-- Who may call it needs no right to create tables.
ALTER FUNCTION ibkeeper.ensure_partitions(int) SECURITY DEFINER;

CREATE FUNCTION ibkeeper.partition_days(market_table text) RETURNS SETOF date
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
SELECT right(c.relname, 8)::date
  FROM pg_inherits h
  JOIN pg_class c ON c.oid = h.inhrelid
 WHERE h.inhparent = ('ibkeeper.' || market_table)::regclass
   AND c.relname ~ '_[0-9]{8}$'
$$;
COMMENT ON FUNCTION ibkeeper.partition_days IS 'The days that have a partition.';

CREATE FUNCTION ibkeeper.stray_days() RETURNS TABLE (market_table text, day date)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF ibkeeper.has_timescale() THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT DISTINCT 'quote', (ts AT TIME ZONE 'UTC')::date FROM ibkeeper.quote_stray
         UNION
        SELECT DISTINCT 'trade', (ts AT TIME ZONE 'UTC')::date FROM ibkeeper.trade_stray
         UNION
        SELECT DISTINCT 'greeks', (ts AT TIME ZONE 'UTC')::date FROM ibkeeper.greeks_stray
         UNION
        SELECT DISTINCT 'instrument_stat', (ts AT TIME ZONE 'UTC')::date
          FROM ibkeeper.instrument_stat_stray
         ORDER BY 1, 2;
END $$;
COMMENT ON FUNCTION ibkeeper.stray_days IS 'Days whose rows came before their partition was made.';

-- The rows of a day move from the stray partition to one of their own, in one transaction: at no
-- moment are they missing or there twice. ATTACH looks for what came meanwhile, and fails on it.
CREATE FUNCTION ibkeeper.settle_strays(market_table text, a_day date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '2s' AS $$
DECLARE
    partition text := market_table || '_' || to_char(a_day, 'YYYYMMDD');
    stray text := market_table || '_stray';
    day_from text := a_day || ' 00:00:00+00';
    day_to text := a_day + 1 || ' 00:00:00+00';
    moved bigint;
BEGIN
    IF to_regclass(format('ibkeeper.%I', partition)) IS NOT NULL THEN
        RETURN 'exists';
    END IF;
    EXECUTE format(
        'CREATE TABLE ibkeeper.%I (LIKE ibkeeper.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS
             INCLUDING COMMENTS)', partition, market_table);
    EXECUTE format('COMMENT ON TABLE ibkeeper.%I IS %L', partition,
        'Rows of ' || market_table || ' of ' || a_day || ' (UTC).');
    PERFORM set_config('ibkeeper.upkeep', 'on', true);
    EXECUTE format(
        'WITH gone AS (DELETE FROM ibkeeper.%I WHERE ts >= %L AND ts < %L RETURNING *)
         INSERT INTO ibkeeper.%I SELECT * FROM gone', stray, day_from, day_to, partition);
    GET DIAGNOSTICS moved = ROW_COUNT;
    PERFORM set_config('ibkeeper.upkeep', 'off', true);
    EXECUTE format('ALTER TABLE ibkeeper.%I ATTACH PARTITION ibkeeper.%I FOR VALUES FROM (%L) TO (%L)',
        market_table, partition, day_from, day_to);
    RETURN 'settled ' || moved || ' rows';
EXCEPTION
    WHEN check_violation OR lock_not_available OR deadlock_detected THEN RETURN 'busy';
END $$;
COMMENT ON FUNCTION ibkeeper.settle_strays IS
    'Moves the stray rows of a UTC day into a partition of their own, or says busy.';
