-- Undoes up.sql.
DO $$
DECLARE
    trail text;
BEGIN
    FOREACH trail IN ARRAY ARRAY['risk_limit', 'kill_switch', 'arming'] LOOP
        EXECUTE format('DROP TRIGGER %I ON ibkeeper.%I', trail || '_sealed', trail);
        EXECUTE format('ALTER TABLE ibkeeper.%I DROP COLUMN previous_hash, DROP COLUMN row_hash', trail);
    END LOOP;
END $$;
DROP FUNCTION ibkeeper.seal_audit_row();
DROP FUNCTION ibkeeper.audit_moment(timestamptz);
