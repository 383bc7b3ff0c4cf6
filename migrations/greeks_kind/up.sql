-- Greeks of a backup vendor, and greeks that ibkeeper computes where the vendor gives none.
-- NOT VALID: every row kept the narrower rule, and reading years of greeks would hold up the recorder.
ALTER TABLE ibkeeper.greeks DROP CONSTRAINT greeks_kind_known;
ALTER TABLE ibkeeper.greeks ADD CONSTRAINT greeks_kind_known
    CHECK (kind IN ('bid', 'ask', 'last', 'model', 'vendor', 'computed')) NOT VALID;
-- A table that is read in a moment is: a constraint that is not valid is a wonder to every tool.
DO $$
BEGIN
    IF (SELECT coalesce(sum(pg_relation_size(inhrelid)), 0) < 1e9 FROM pg_inherits
         WHERE inhparent = 'ibkeeper.greeks'::regclass) THEN
        ALTER TABLE ibkeeper.greeks VALIDATE CONSTRAINT greeks_kind_known;
    END IF;
EXCEPTION WHEN feature_not_supported THEN
    NULL;  -- a hypertable with a columnstore has no VALIDATE
END $$;
COMMENT ON COLUMN ibkeeper.greeks.kind IS 'bid, ask, last, model: IB''s; vendor: the backup vendor''s; computed: ours, of mid.';
COMMENT ON COLUMN ibkeeper.quote_latest.model_iv IS 'Model implied volatility, annual, fraction; of a backup vendor: its own, or computed.';
