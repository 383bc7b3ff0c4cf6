-- Undoes up.sql.
DROP TABLE ibkeeper.drill_step;
DROP TABLE ibkeeper.drill;
