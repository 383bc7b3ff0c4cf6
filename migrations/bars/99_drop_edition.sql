-- Undoes 10.
DROP FUNCTION ibkeeper.source_rank(text), ibkeeper.has_continuous_aggregates();
