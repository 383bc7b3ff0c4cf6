-- Undoes up.sql. What was told again is forgotten: the older schema has no word for it.
DROP TRIGGER incident_again ON ibkeeper.incident;
DROP FUNCTION ibkeeper.retell_incident(text, text, text, text, text, jsonb);
DELETE FROM ibkeeper.alert WHERE event = 'again';
DROP INDEX ibkeeper.alert_again_once;
DROP INDEX ibkeeper.alert_once;
ALTER TABLE ibkeeper.alert ADD CONSTRAINT alert_once UNIQUE (incident_id, target, event, severity);
ALTER TABLE ibkeeper.alert DROP CONSTRAINT alert_event_known;
ALTER TABLE ibkeeper.alert ADD CONSTRAINT alert_event_known
    CHECK (event IN ('opened', 'worse', 'closed'));
ALTER TABLE ibkeeper.alert DROP COLUMN news;
COMMENT ON COLUMN ibkeeper.alert.event IS 'opened, worse (its severity rose) or closed.';
ALTER TABLE ibkeeper.incident DROP COLUMN news_at;
ALTER TABLE ibkeeper.incident DROP COLUMN news;
