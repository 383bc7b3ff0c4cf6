-- Undoes up.sql.
DROP TABLE ibkeeper.rejected_tick;
