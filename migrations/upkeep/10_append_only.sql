-- Rows that are written once. Only upkeep, in the name of the table's owner, may remove them.

-- Upkeep says so by set_config: a function that is SET to a parameter of ours is for superusers.
CREATE FUNCTION ibkeeper.guard_written_once() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('ibkeeper.upkeep', true) = 'on'
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID)
    THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
END $$;
COMMENT ON FUNCTION ibkeeper.guard_written_once IS
    'Trigger: refuses UPDATE, and DELETE to everybody but upkeep.';

DO $$
DECLARE
    written_once text;
BEGIN
    FOREACH written_once IN ARRAY ARRAY['quote', 'trade', 'greeks', 'instrument_stat',
        'ingest_batch', 'chain_snapshot', 'chain_quote'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON ibkeeper.%I
            FOR EACH ROW EXECUTE FUNCTION ibkeeper.guard_written_once()',
            written_once || '_append_only', written_once);
    END LOOP;
END $$;
