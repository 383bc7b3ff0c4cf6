-- Option-chain snapshots.

CREATE TABLE ibkeeper.chain_snapshot (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    request_id uuid,
    underlying_id int NOT NULL,
    taken_at timestamptz NOT NULL,
    exchange text,
    trading_class text,
    spot float8,
    expected int NOT NULL,
    complete int NOT NULL,
    partial int NOT NULL,
    missing int NOT NULL,
    seconds float8 NOT NULL,
    quality text,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(request_id) REFERENCES ibkeeper.request (id),
    FOREIGN KEY(underlying_id) REFERENCES ibkeeper.instrument (id),
    CONSTRAINT chain_snapshot_adds_up CHECK (complete + partial + missing = expected),
    CONSTRAINT chain_snapshot_counts_not_negative CHECK (complete >= 0 AND partial >= 0 AND missing >= 0),
    CONSTRAINT chain_snapshot_seconds_not_negative CHECK (seconds >= 0),
    CONSTRAINT chain_snapshot_quality_known CHECK (
        quality IN ('live', 'frozen', 'delayed', 'delayed_frozen', 'indicative')
    )
);
CREATE INDEX chain_snapshot_underlying_id_taken_at_idx ON ibkeeper.chain_snapshot (underlying_id, taken_at DESC);
COMMENT ON TABLE ibkeeper.chain_snapshot IS 'Option-chain snapshots and how complete each is.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.id IS 'Id of the snapshot.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.request_id IS 'The request that asked for it.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.underlying_id IS 'The underlying.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.taken_at IS 'When the snapshot was finished.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.exchange IS 'Exchange of the options.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.trading_class IS 'Trading class of the options.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.spot IS 'Price of the underlying, in its currency.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.expected IS 'Contracts asked for.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.complete IS 'Contracts with bid, ask and model greeks.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.partial IS 'Contracts with some of it.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.missing IS 'Contracts with none of it.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.seconds IS 'How long it took, s.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.quality IS 'Quality of the market data.';
COMMENT ON COLUMN ibkeeper.chain_snapshot.params IS 'What was asked.';

CREATE TABLE ibkeeper.chain_quote (
    snapshot_id uuid NOT NULL,
    instrument_id int NOT NULL,
    expiry date,
    strike numeric(18, 6),
    "right" char(1),
    state text NOT NULL,
    missing_fields text,
    bid float8,
    bid_size float8,
    ask float8,
    ask_size float8,
    last float8,
    last_size float8,
    volume float8,
    open_interest float8,
    iv float8,
    delta float8,
    gamma float8,
    vega float8,
    theta float8,
    option_price float8,
    underlying_price float8,
    quality text,
    recv_ts timestamptz,
    PRIMARY KEY (snapshot_id, instrument_id),
    FOREIGN KEY(snapshot_id) REFERENCES ibkeeper.chain_snapshot (id) ON DELETE CASCADE,
    FOREIGN KEY(instrument_id) REFERENCES ibkeeper.instrument (id),
    CONSTRAINT chain_quote_state_known CHECK (state IN ('complete', 'partial', 'missing')),
    CONSTRAINT chain_quote_right_known CHECK ("right" IN ('C', 'P')),
    CONSTRAINT chain_quote_quality_known CHECK (
        quality IN ('live', 'frozen', 'delayed', 'delayed_frozen', 'indicative')
    )
);
COMMENT ON TABLE ibkeeper.chain_quote IS 'Contracts of the option-chain snapshots.';
COMMENT ON COLUMN ibkeeper.chain_quote.snapshot_id IS 'The snapshot.';
COMMENT ON COLUMN ibkeeper.chain_quote.instrument_id IS 'The contract.';
COMMENT ON COLUMN ibkeeper.chain_quote.expiry IS 'Last trade date.';
COMMENT ON COLUMN ibkeeper.chain_quote.strike IS 'Strike, in the currency.';
COMMENT ON COLUMN ibkeeper.chain_quote."right" IS 'C call, P put.';
COMMENT ON COLUMN ibkeeper.chain_quote.state IS 'complete, partial or missing.';
COMMENT ON COLUMN ibkeeper.chain_quote.missing_fields IS 'What did not come, comma-separated.';
COMMENT ON COLUMN ibkeeper.chain_quote.bid IS 'Best bid.';
COMMENT ON COLUMN ibkeeper.chain_quote.bid_size IS 'Size at the bid, contracts.';
COMMENT ON COLUMN ibkeeper.chain_quote.ask IS 'Best ask.';
COMMENT ON COLUMN ibkeeper.chain_quote.ask_size IS 'Size at the ask, contracts.';
COMMENT ON COLUMN ibkeeper.chain_quote.last IS 'Last price.';
COMMENT ON COLUMN ibkeeper.chain_quote.last_size IS 'Size of the last print, contracts.';
COMMENT ON COLUMN ibkeeper.chain_quote.volume IS 'Volume of the day, contracts.';
COMMENT ON COLUMN ibkeeper.chain_quote.open_interest IS 'Open interest, contracts.';
COMMENT ON COLUMN ibkeeper.chain_quote.iv IS 'Model implied volatility, annual, fraction.';
COMMENT ON COLUMN ibkeeper.chain_quote.delta IS 'Model delta, per 1.00 of the underlying.';
COMMENT ON COLUMN ibkeeper.chain_quote.gamma IS 'Model gamma, per 1.00 of the underlying.';
COMMENT ON COLUMN ibkeeper.chain_quote.vega IS 'Model vega, per volatility point.';
COMMENT ON COLUMN ibkeeper.chain_quote.theta IS 'Model theta, per calendar day.';
COMMENT ON COLUMN ibkeeper.chain_quote.option_price IS 'Model price of the option.';
COMMENT ON COLUMN ibkeeper.chain_quote.underlying_price IS 'Price of the underlying in the model.';
COMMENT ON COLUMN ibkeeper.chain_quote.quality IS 'Quality of the market data.';
COMMENT ON COLUMN ibkeeper.chain_quote.recv_ts IS 'Arrival of the newest message.';
