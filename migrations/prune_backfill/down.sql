-- Undoes up.sql.
DROP FUNCTION ibkeeper.prune_backfill(int);
