-- Undoes up.sql.
DROP TRIGGER ingest_batch_position ON ibkeeper.ingest_batch;
DROP FUNCTION ibkeeper.take_position();
DROP TABLE ibkeeper.ingest_order;
ALTER TABLE ibkeeper.ingest_batch DROP COLUMN first_ts, DROP COLUMN last_ts;
CREATE OR REPLACE FUNCTION ibkeeper.prune_ledger(keep_days int) RETURNS bigint
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
