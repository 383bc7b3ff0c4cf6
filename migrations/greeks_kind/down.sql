-- Undoes up.sql: what the old vocabulary has no word for is deleted, with the keeper of rows away.
ALTER TABLE ibkeeper.greeks DROP CONSTRAINT greeks_kind_known;
DELETE FROM ibkeeper.greeks WHERE kind IN ('vendor', 'computed');
ALTER TABLE ibkeeper.greeks ADD CONSTRAINT greeks_kind_known
    CHECK (kind IN ('bid', 'ask', 'last', 'model'));
COMMENT ON COLUMN ibkeeper.greeks.kind IS 'What it was computed from: bid, ask, last or model.';
COMMENT ON COLUMN ibkeeper.quote_latest.model_iv IS 'Model implied volatility, annual, fraction.';
