-- Undoes up.sql.
DROP VIEW ibkeeper.v_gap;
