-- Undoes every file of this folder.
DROP FUNCTION ibkeeper.apply_policies(int, int), ibkeeper.apply_policy(text, text, int),
    ibkeeper.allow_compression(text), ibkeeper.prune_ledger(int),
    ibkeeper.drop_day(text, date, int), ibkeeper.days_to_drop(int), ibkeeper.close_day(date),
    ibkeeper.keep_bars(timestamptz, timestamptz),
    ibkeeper.roll_up(text, interval, timestamptz, timestamptz), ibkeeper.days_to_close(int),
    ibkeeper.market_chunks(), ibkeeper.settle_strays(text, date), ibkeeper.stray_days(),
    ibkeeper.partition_days(text);
ALTER FUNCTION ibkeeper.ensure_partitions(int) SECURITY INVOKER;
DO $$
DECLARE
    written_once text;
BEGIN
    FOREACH written_once IN ARRAY ARRAY['quote', 'trade', 'greeks', 'instrument_stat',
        'ingest_batch', 'chain_snapshot', 'chain_quote'] LOOP
        EXECUTE format('DROP TRIGGER %I ON ibkeeper.%I',
            written_once || '_append_only', written_once);
    END LOOP;
END $$;
DROP FUNCTION ibkeeper.guard_written_once();
