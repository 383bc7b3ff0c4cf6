-- Undoes up.sql.
DROP FUNCTION ibkeeper.close_incident(text, text);
DROP FUNCTION ibkeeper.open_incident(text, text, text, text, text, jsonb);
DROP TABLE ibkeeper.incident;
