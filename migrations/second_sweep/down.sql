-- Undoes up.sql. What the second connection did stays, under the name of the first.
ALTER TABLE ibkeeper.session DROP CONSTRAINT session_role_known;
UPDATE ibkeeper.session SET role = 'sweep' WHERE role = 'sweep2';
ALTER TABLE ibkeeper.session ADD CONSTRAINT session_role_known CHECK (role IN ('stream', 'sweep', 'orders'));
COMMENT ON COLUMN ibkeeper.session.role IS 'stream, sweep or orders.';
ALTER TABLE ibkeeper.session_event DROP CONSTRAINT session_event_role_known;
UPDATE ibkeeper.session_event SET role = 'sweep' WHERE role = 'sweep2';
ALTER TABLE ibkeeper.session_event ADD CONSTRAINT session_event_role_known CHECK (role IN ('stream', 'sweep', 'orders'));
COMMENT ON COLUMN ibkeeper.session_event.role IS 'stream, sweep or orders.';
