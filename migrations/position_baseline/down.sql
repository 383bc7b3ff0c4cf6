-- Undoes up.sql.
DROP TABLE ibkeeper.position_baseline;
