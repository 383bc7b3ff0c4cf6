-- What was filled in afterwards goes with the ticks of its days. Bars of it stay, as bars do.
CREATE FUNCTION ibkeeper.prune_backfill(keep_days int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    before timestamptz := date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC')
                          AT TIME ZONE 'UTC' - make_interval(days => keep_days);
    n_quotes bigint;
    n_trades bigint;
BEGIN
    IF keep_days < 7 THEN
        RAISE EXCEPTION 'ticks are kept for 7 days at least'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM set_config('ibkeeper.upkeep', 'on', true);
    DELETE FROM ibkeeper.backfill_quote WHERE ts < before;
    GET DIAGNOSTICS n_quotes = ROW_COUNT;
    DELETE FROM ibkeeper.backfill_trade WHERE ts < before;
    GET DIAGNOSTICS n_trades = ROW_COUNT;
    PERFORM set_config('ibkeeper.upkeep', 'off', true);
    RETURN n_quotes + n_trades;
END $$;
COMMENT ON FUNCTION ibkeeper.prune_backfill IS
    'Deletes ticks of backfill_quote and backfill_trade older than keep_days (at least 7).';
