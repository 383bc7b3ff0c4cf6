-- A second sweep connection: chains at twice the messages a second.
ALTER TABLE ibkeeper.session DROP CONSTRAINT session_role_known;
ALTER TABLE ibkeeper.session ADD CONSTRAINT session_role_known
    CHECK (role IN ('stream', 'sweep', 'sweep2', 'orders'));
COMMENT ON COLUMN ibkeeper.session.role IS 'stream, sweep, sweep2 or orders.';
ALTER TABLE ibkeeper.session_event DROP CONSTRAINT session_event_role_known;
ALTER TABLE ibkeeper.session_event ADD CONSTRAINT session_event_role_known
    CHECK (role IN ('stream', 'sweep', 'sweep2', 'orders'));
COMMENT ON COLUMN ibkeeper.session_event.role IS 'stream, sweep, sweep2 or orders.';
