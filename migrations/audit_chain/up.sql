-- Limits, kill switch and arming become chains: every row carries the hash of the row before it and
-- its own, so that a row that somebody changed, took out or put in is found afterwards.
-- What is hashed is written once more in ibcore/queries/authority.sql: whoever can change a row can
-- change these functions too, so the check does not call them.

CREATE FUNCTION ibkeeper.audit_moment(a_moment timestamptz) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT to_char(a_moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
$$;
COMMENT ON FUNCTION ibkeeper.audit_moment IS 'A moment as the chains of audit rows write it, in every time zone the same.';

-- The writers of a table queue (number_last_word), so there is one row before this one, and it is
-- committed. The unique index says so once more: two rows never follow the same one.
CREATE FUNCTION ibkeeper.seal_audit_row() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    said jsonb;
BEGIN
    EXECUTE format('SELECT coalesce((SELECT row_hash FROM %s WHERE id < $1 ORDER BY id DESC LIMIT 1), '''')',
                   TG_RELID::regclass) INTO NEW.previous_hash USING NEW.id;
    CASE TG_TABLE_NAME
        WHEN 'risk_limit' THEN
            said := jsonb_build_array(NEW.account, NEW.name, NEW.value, NEW.before, NEW.set_by, NEW.reason);
        WHEN 'kill_switch' THEN
            said := jsonb_build_array(NEW.engaged, NEW.source, NEW.sidecar, NEW.set_by, NEW.reason);
        WHEN 'arming' THEN
            said := jsonb_build_array(NEW.account, ibkeeper.audit_moment(NEW.armed_until), NEW.set_by, NEW.reason);
    END CASE;
    NEW.row_hash := encode(sha256(convert_to(
        (jsonb_build_array(TG_TABLE_NAME, NEW.previous_hash, NEW.id, ibkeeper.audit_moment(NEW.at)) || said)::text,
        'UTF8')), 'hex');
    RETURN NEW;
END $$;
COMMENT ON FUNCTION ibkeeper.seal_audit_row IS 'Trigger: chains a row of the audit trail to the one before it.';

DO $$
DECLARE
    trail text;
    sealer text;
BEGIN
    FOREACH trail IN ARRAY ARRAY['risk_limit', 'kill_switch', 'arming'] LOOP
        EXECUTE format('ALTER TABLE ibkeeper.%I ADD COLUMN previous_hash text, ADD COLUMN row_hash text', trail);
        EXECUTE format($c$COMMENT ON COLUMN ibkeeper.%I.previous_hash IS 'Hash of the row before; empty: the first.'$c$, trail);
        EXECUTE format($c$COMMENT ON COLUMN ibkeeper.%I.row_hash IS 'SHA-256 of this row and of the hash before it.'$c$, trail);
        -- Rows that are there already are chained as they stand, each after the one before it.
        sealer := trail || '_sealed';
        EXECUTE format('ALTER TABLE ibkeeper.%I DISABLE TRIGGER %I', trail, trail || '_append_only');
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON ibkeeper.%I FOR EACH ROW
            EXECUTE FUNCTION ibkeeper.seal_audit_row()', sealer, trail);
        EXECUTE format('DO $d$ DECLARE one bigint; BEGIN
            FOR one IN SELECT id FROM ibkeeper.%1$I ORDER BY id LOOP
                UPDATE ibkeeper.%1$I SET row_hash = '''' WHERE id = one;
            END LOOP; END $d$', trail);
        EXECUTE format('DROP TRIGGER %I ON ibkeeper.%I', sealer, trail);
        EXECUTE format('ALTER TABLE ibkeeper.%I ENABLE TRIGGER %I', trail, trail || '_append_only');
        -- In the order of their names: after the number, and after what a limit was before.
        EXECUTE format('CREATE TRIGGER %I BEFORE INSERT ON ibkeeper.%I FOR EACH ROW
            EXECUTE FUNCTION ibkeeper.seal_audit_row()', sealer, trail);
        EXECUTE format('ALTER TABLE ibkeeper.%I ALTER previous_hash SET NOT NULL, ALTER row_hash SET NOT NULL', trail);
        EXECUTE format('CREATE UNIQUE INDEX %I ON ibkeeper.%I (previous_hash)', trail || '_previous_hash_idx', trail);
    END LOOP;
END $$;
