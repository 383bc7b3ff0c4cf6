-- Undoes up.sql.
DROP TRIGGER session_link ON ibkeeper.session;
DROP FUNCTION ibkeeper.guard_link();
ALTER TABLE ibkeeper.session DROP COLUMN link;
DELETE FROM ibkeeper.state_transition WHERE machine IN ('line_cure', 'link');
COMMENT ON COLUMN ibkeeper.state_transition.machine IS 'session, request or watch.';
DROP TABLE ibkeeper.line_cure;
DROP TABLE ibkeeper.line_state;
