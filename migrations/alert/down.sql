-- Undoes up.sql.
DROP TRIGGER incident_changed ON ibkeeper.incident;
DROP TRIGGER incident_new ON ibkeeper.incident;
DROP FUNCTION ibkeeper.notify_incident();
DROP TABLE ibkeeper.sla_report;
DROP TABLE ibkeeper.alert;
DELETE FROM ibkeeper.state_transition WHERE machine = 'alert';
