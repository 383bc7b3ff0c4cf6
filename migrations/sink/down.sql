-- Undoes up.sql.
DROP TABLE ibkeeper.sink;
