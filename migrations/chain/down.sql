-- Undoes views.sql and up.sql. Finer states become the coarse one that they were.
DROP VIEW ibkeeper.v_chain_change;
DROP VIEW ibkeeper.v_chain_gamma;
DROP VIEW ibkeeper.v_chain_max_pain;
DROP VIEW ibkeeper.v_chain_open_interest;
DROP VIEW ibkeeper.v_chain_skew;
DROP VIEW ibkeeper.v_chain_term;
DROP VIEW ibkeeper.v_chain_smile;
DROP INDEX ibkeeper.instrument_chain_idx;
DROP TABLE ibkeeper.chain_listing;
DROP TABLE ibkeeper.chain_expiry;
ALTER TABLE ibkeeper.chain_quote DISABLE TRIGGER USER;
UPDATE ibkeeper.chain_quote SET state = 'missing' WHERE state IN ('no_quote', 'no_permission', 'error');
ALTER TABLE ibkeeper.chain_quote ENABLE TRIGGER USER;
ALTER TABLE ibkeeper.chain_quote DROP CONSTRAINT chain_quote_state_known;
ALTER TABLE ibkeeper.chain_quote ADD CONSTRAINT chain_quote_state_known CHECK (state IN ('complete', 'partial', 'missing'));
COMMENT ON COLUMN ibkeeper.chain_quote.state IS 'complete, partial or missing.';
ALTER TABLE ibkeeper.chain_quote DROP COLUMN mid, DROP COLUMN own_iv, DROP COLUMN own_delta, DROP COLUMN own_gamma,
    DROP COLUMN own_vega, DROP COLUMN own_theta, DROP COLUMN iv_difference, DROP COLUMN error_code;
ALTER TABLE ibkeeper.chain_snapshot DROP COLUMN forward, DROP COLUMN rate, DROP COLUMN messages, DROP COLUMN floor_s,
    DROP COLUMN efficiency;
COMMENT ON COLUMN ibkeeper.chain_snapshot.missing IS 'Contracts with none of it.';
