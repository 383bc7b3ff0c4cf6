-- Undoes up.sql. Connections of a standby are forgotten: the older tables do not know them.
DROP VIEW ibkeeper.v_provider;
DROP TABLE ibkeeper.provider_switch;
DELETE FROM ibkeeper.session_event WHERE role = 'standby';
DELETE FROM ibkeeper.session WHERE role = 'standby';
ALTER TABLE ibkeeper.session DROP CONSTRAINT session_role_known;
ALTER TABLE ibkeeper.session ADD CONSTRAINT session_role_known
    CHECK (role IN ('stream', 'sweep', 'sweep2', 'orders'));
COMMENT ON COLUMN ibkeeper.session.role IS 'stream, sweep, sweep2 or orders.';
ALTER TABLE ibkeeper.session_event DROP CONSTRAINT session_event_role_known;
ALTER TABLE ibkeeper.session_event ADD CONSTRAINT session_event_role_known
    CHECK (role IN ('stream', 'sweep', 'sweep2', 'orders'));
COMMENT ON COLUMN ibkeeper.session_event.role IS 'stream, sweep, sweep2 or orders.';
