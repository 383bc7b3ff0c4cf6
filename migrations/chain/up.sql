-- Chains in full: what is listed, what each contract's state is, forwards, and greeks of our own.

ALTER TABLE ibkeeper.chain_snapshot
    ADD COLUMN forward float8,
    ADD COLUMN rate float8,
    ADD COLUMN messages int,
    ADD COLUMN floor_s float8,
    ADD COLUMN efficiency float8,
    ADD CONSTRAINT chain_snapshot_efficiency_positive CHECK (efficiency > 0);
COMMENT ON COLUMN ibkeeper.chain_snapshot.forward IS 'Forward of the nearest expiry, from put-call parity; NULL: too few pairs.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.rate IS 'Rate to the nearest expiry that has one, continuous, annual, fraction.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.messages IS 'Messages that the contracts cost.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.floor_s IS 'Least time that those messages can take at the configured rate, s.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.efficiency IS 'floor_s / seconds.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.missing IS 'All others: chain_quote says of each why.';

ALTER TABLE ibkeeper.chain_quote DROP CONSTRAINT chain_quote_state_known;
ALTER TABLE ibkeeper.chain_quote ADD CONSTRAINT chain_quote_state_known CHECK (
    state IN ('complete', 'partial', 'no_quote', 'missing', 'no_permission', 'error')
);
COMMENT ON COLUMN ibkeeper.chain_quote.state IS 'complete, partial, no_quote, missing, no_permission or error; docs/chains.md says what each means.';
ALTER TABLE ibkeeper.chain_quote
    ADD COLUMN mid float8,
    ADD COLUMN own_iv float8,
    ADD COLUMN own_delta float8,
    ADD COLUMN own_gamma float8,
    ADD COLUMN own_vega float8,
    ADD COLUMN own_theta float8,
    ADD COLUMN iv_difference float8,
    ADD COLUMN error_code int;
COMMENT ON COLUMN ibkeeper.chain_quote.mid IS 'Middle of bid and ask; NULL: one of them is not there.';
COMMENT ON COLUMN ibkeeper.chain_quote.own_iv IS 'Implied volatility of mid by our model (European, on the forward), annual, fraction.';
COMMENT ON COLUMN ibkeeper.chain_quote.own_delta IS 'Delta by our model at own_iv.';
COMMENT ON COLUMN ibkeeper.chain_quote.own_gamma IS 'Gamma by our model at own_iv.';
COMMENT ON COLUMN ibkeeper.chain_quote.own_vega IS 'Vega by our model at own_iv, per volatility point.';
COMMENT ON COLUMN ibkeeper.chain_quote.own_theta IS 'Theta by our model at own_iv, per calendar day.';
COMMENT ON COLUMN ibkeeper.chain_quote.iv_difference IS 'own_iv - iv: a check of IB''s model against the market''s middle.';
COMMENT ON COLUMN ibkeeper.chain_quote.error_code IS 'IB''s code, where the state is error or no_permission.';

CREATE TABLE ibkeeper.chain_expiry (
    snapshot_id uuid NOT NULL,
    expiry date NOT NULL,
    years float8 NOT NULL,
    forward float8 NOT NULL,
    rate float8,
    pairs int NOT NULL,
    PRIMARY KEY (snapshot_id, expiry),
    FOREIGN KEY(snapshot_id) REFERENCES ibkeeper.chain_snapshot (id) ON DELETE CASCADE,
    CONSTRAINT chain_expiry_forward_positive CHECK (forward > 0),
    CONSTRAINT chain_expiry_pairs_not_negative CHECK (pairs >= 0)
);
COMMENT ON TABLE ibkeeper.chain_expiry IS 'What put-call parity says of each expiry of a snapshot.';
COMMENT ON COLUMN ibkeeper.chain_expiry.snapshot_id IS 'The snapshot.';
COMMENT ON COLUMN ibkeeper.chain_expiry.expiry IS 'Last trade date.';
COMMENT ON COLUMN ibkeeper.chain_expiry.years IS 'Time to it, years of 365 days.';
COMMENT ON COLUMN ibkeeper.chain_expiry.forward IS 'Forward of the underlying; the spot where there are no pairs.';
COMMENT ON COLUMN ibkeeper.chain_expiry.rate IS 'Continuous annual rate, fraction; NULL: the pairs do not say.';
COMMENT ON COLUMN ibkeeper.chain_expiry.pairs IS 'Strikes with a call and a put that it was read from.';

CREATE TABLE ibkeeper.chain_listing (
    underlying_con_id bigint NOT NULL,
    trading_class text NOT NULL,
    exchange text NOT NULL,
    expiry date NOT NULL,
    "right" char(1) NOT NULL,
    listed_on date NOT NULL,
    strikes numeric[] NOT NULL,
    added numeric[],
    delisted numeric[],
    params_hash text NOT NULL,
    asked_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (underlying_con_id, trading_class, exchange, expiry, "right", listed_on),
    CONSTRAINT chain_listing_right_known CHECK ("right" IN ('C', 'P'))
);
COMMENT ON TABLE ibkeeper.chain_listing IS 'Which strikes IB listed on which day; the contracts are in instrument.';
COMMENT ON COLUMN ibkeeper.chain_listing.underlying_con_id IS 'IB contract id of the underlying.';
COMMENT ON COLUMN ibkeeper.chain_listing.trading_class IS 'Trading class of the options.';
COMMENT ON COLUMN ibkeeper.chain_listing.exchange IS 'Exchange that was asked.';
COMMENT ON COLUMN ibkeeper.chain_listing.expiry IS 'Last trade date.';
COMMENT ON COLUMN ibkeeper.chain_listing."right" IS 'C calls, P puts.';
COMMENT ON COLUMN ibkeeper.chain_listing.listed_on IS 'Trading day, New York.';
COMMENT ON COLUMN ibkeeper.chain_listing.strikes IS 'Strikes listed, ascending.';
COMMENT ON COLUMN ibkeeper.chain_listing.added IS 'Strikes that were not there on the day before that was asked; NULL: none was.';
COMMENT ON COLUMN ibkeeper.chain_listing.delisted IS 'Strikes that were there then and are not now; NULL: none was asked.';
COMMENT ON COLUMN ibkeeper.chain_listing.params_hash IS 'Of IB''s list of expiries and strikes: when that changes, it is asked anew.';
COMMENT ON COLUMN ibkeeper.chain_listing.asked_at IS 'When IB was asked last on that day.';

CREATE TRIGGER chain_expiry_append_only BEFORE UPDATE OR DELETE ON ibkeeper.chain_expiry
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.guard_written_once();

-- The contracts of a listing are looked up by what it is of.
CREATE INDEX instrument_chain_idx ON ibkeeper.instrument (underlying_con_id, trading_class, expiry, "right")
    WHERE underlying_con_id IS NOT NULL;
