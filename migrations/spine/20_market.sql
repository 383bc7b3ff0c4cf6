-- The market tables. The next file turns them into day partitions or hypertables.

CREATE TABLE ibkeeper.quote (
    ts timestamptz NOT NULL,
    recv_ts timestamptz NOT NULL,
    instrument_id int NOT NULL,
    seq bigint NOT NULL,
    epoch int NOT NULL,
    provider text NOT NULL,
    quality text NOT NULL,
    tick_type smallint NOT NULL,
    bid float8,
    bid_size float8,
    ask float8,
    ask_size float8,
    CONSTRAINT quote_provider_known CHECK (provider IN ('ib', 'standby', 'alpaca')),
    CONSTRAINT quote_quality_known CHECK (
        quality IN ('live', 'frozen', 'delayed', 'delayed_frozen', 'indicative')
    ),
    CONSTRAINT quote_sizes_not_negative CHECK (bid_size >= 0 AND ask_size >= 0),
    CONSTRAINT quote_finite CHECK (
        bid > '-Infinity'
        AND bid < 'Infinity'
        AND bid_size > '-Infinity'
        AND bid_size < 'Infinity'
        AND ask > '-Infinity'
        AND ask < 'Infinity'
        AND ask_size > '-Infinity'
        AND ask_size < 'Infinity'
    )
);
CREATE INDEX quote_instrument_id_ts_idx ON ibkeeper.quote (instrument_id, ts DESC);
COMMENT ON TABLE ibkeeper.quote IS 'Best bid and ask after every tick that changed them; one row per change.';
COMMENT ON COLUMN ibkeeper.quote.ts IS 'Event time: the exchange''s where the source gives one, else recv_ts.';
COMMENT ON COLUMN ibkeeper.quote.recv_ts IS 'When the sidecar read the message from the socket.';
COMMENT ON COLUMN ibkeeper.quote.instrument_id IS 'instrument.id; no foreign key: it would be checked row by row during COPY.';
COMMENT ON COLUMN ibkeeper.quote.seq IS 'Unbroken within a spool over all four market tables.';
COMMENT ON COLUMN ibkeeper.quote.epoch IS 'Number of the sidecar start that wrote the row.';
COMMENT ON COLUMN ibkeeper.quote.provider IS 'Who the row came from: ib, standby, alpaca.';
COMMENT ON COLUMN ibkeeper.quote.quality IS 'live, frozen, delayed, delayed_frozen or indicative.';
COMMENT ON COLUMN ibkeeper.quote.tick_type IS 'IB tick type that caused the row (1 bid, 2 ask, …).';
COMMENT ON COLUMN ibkeeper.quote.bid IS 'Best bid, in the instrument''s currency; NULL: none.';
COMMENT ON COLUMN ibkeeper.quote.bid_size IS 'Size at the bid, in shares or contracts.';
COMMENT ON COLUMN ibkeeper.quote.ask IS 'Best ask, in the instrument''s currency; NULL: none.';
COMMENT ON COLUMN ibkeeper.quote.ask_size IS 'Size at the ask, in shares or contracts.';

CREATE TABLE ibkeeper.trade (
    ts timestamptz NOT NULL,
    recv_ts timestamptz NOT NULL,
    instrument_id int NOT NULL,
    seq bigint NOT NULL,
    epoch int NOT NULL,
    provider text NOT NULL,
    quality text NOT NULL,
    tick_type smallint NOT NULL,
    source text NOT NULL,
    price float8 NOT NULL,
    size float8,
    volume float8,
    vwap float8,
    CONSTRAINT trade_provider_known CHECK (provider IN ('ib', 'standby', 'alpaca')),
    CONSTRAINT trade_quality_known CHECK (
        quality IN ('live', 'frozen', 'delayed', 'delayed_frozen', 'indicative')
    ),
    CONSTRAINT trade_source_known CHECK (
        source IN ('last', 'rt_volume', 'rt_trade_volume', 'tick_by_tick')
    ),
    CONSTRAINT trade_sizes_not_negative CHECK (size >= 0 AND volume >= 0),
    CONSTRAINT trade_finite CHECK (
        price > '-Infinity'
        AND price < 'Infinity'
        AND size > '-Infinity'
        AND size < 'Infinity'
        AND volume > '-Infinity'
        AND volume < 'Infinity'
        AND vwap > '-Infinity'
        AND vwap < 'Infinity'
    )
);
CREATE INDEX trade_instrument_id_ts_idx ON ibkeeper.trade (instrument_id, ts DESC);
COMMENT ON TABLE ibkeeper.trade IS 'Market prints; `source` says which message each came from.';
COMMENT ON COLUMN ibkeeper.trade.ts IS 'Event time: the exchange''s where the source gives one, else recv_ts.';
COMMENT ON COLUMN ibkeeper.trade.recv_ts IS 'When the sidecar read the message from the socket.';
COMMENT ON COLUMN ibkeeper.trade.instrument_id IS 'instrument.id; no foreign key: it would be checked row by row during COPY.';
COMMENT ON COLUMN ibkeeper.trade.seq IS 'Unbroken within a spool over all four market tables.';
COMMENT ON COLUMN ibkeeper.trade.epoch IS 'Number of the sidecar start that wrote the row.';
COMMENT ON COLUMN ibkeeper.trade.provider IS 'Who the row came from: ib, standby, alpaca.';
COMMENT ON COLUMN ibkeeper.trade.quality IS 'live, frozen, delayed, delayed_frozen or indicative.';
COMMENT ON COLUMN ibkeeper.trade.tick_type IS 'IB tick type that caused the row (4 last, 48, 77, …).';
COMMENT ON COLUMN ibkeeper.trade.source IS 'last, rt_volume, rt_trade_volume or tick_by_tick.';
COMMENT ON COLUMN ibkeeper.trade.price IS 'Price of the print, in the instrument''s currency.';
COMMENT ON COLUMN ibkeeper.trade.size IS 'Size of the print, in shares or contracts.';
COMMENT ON COLUMN ibkeeper.trade.volume IS 'Volume of the day so far, as the message says.';
COMMENT ON COLUMN ibkeeper.trade.vwap IS 'Volume-weighted average price of the day, as the message says.';

CREATE TABLE ibkeeper.greeks (
    ts timestamptz NOT NULL,
    recv_ts timestamptz NOT NULL,
    instrument_id int NOT NULL,
    seq bigint NOT NULL,
    epoch int NOT NULL,
    provider text NOT NULL,
    quality text NOT NULL,
    kind text NOT NULL,
    iv float8,
    delta float8,
    gamma float8,
    vega float8,
    theta float8,
    option_price float8,
    pv_dividend float8,
    underlying_price float8,
    price_based boolean,
    CONSTRAINT greeks_provider_known CHECK (provider IN ('ib', 'standby', 'alpaca')),
    CONSTRAINT greeks_quality_known CHECK (
        quality IN ('live', 'frozen', 'delayed', 'delayed_frozen', 'indicative')
    ),
    CONSTRAINT greeks_kind_known CHECK (kind IN ('bid', 'ask', 'last', 'model')),
    CONSTRAINT greeks_finite CHECK (
        iv > '-Infinity'
        AND iv < 'Infinity'
        AND delta > '-Infinity'
        AND delta < 'Infinity'
        AND gamma > '-Infinity'
        AND gamma < 'Infinity'
        AND vega > '-Infinity'
        AND vega < 'Infinity'
        AND theta > '-Infinity'
        AND theta < 'Infinity'
        AND option_price > '-Infinity'
        AND option_price < 'Infinity'
        AND pv_dividend > '-Infinity'
        AND pv_dividend < 'Infinity'
        AND underlying_price > '-Infinity'
        AND underlying_price < 'Infinity'
    )
);
CREATE INDEX greeks_instrument_id_ts_idx ON ibkeeper.greeks (instrument_id, ts DESC);
COMMENT ON TABLE ibkeeper.greeks IS 'Option computations: implied volatility and greeks.';
COMMENT ON COLUMN ibkeeper.greeks.ts IS 'Event time: the exchange''s where the source gives one, else recv_ts.';
COMMENT ON COLUMN ibkeeper.greeks.recv_ts IS 'When the sidecar read the message from the socket.';
COMMENT ON COLUMN ibkeeper.greeks.instrument_id IS 'instrument.id; no foreign key: it would be checked row by row during COPY.';
COMMENT ON COLUMN ibkeeper.greeks.seq IS 'Unbroken within a spool over all four market tables.';
COMMENT ON COLUMN ibkeeper.greeks.epoch IS 'Number of the sidecar start that wrote the row.';
COMMENT ON COLUMN ibkeeper.greeks.provider IS 'Who the row came from: ib, standby, alpaca.';
COMMENT ON COLUMN ibkeeper.greeks.quality IS 'live, frozen, delayed, delayed_frozen or indicative.';
COMMENT ON COLUMN ibkeeper.greeks.kind IS 'What it was computed from: bid, ask, last or model.';
COMMENT ON COLUMN ibkeeper.greeks.iv IS 'Implied volatility, annual, as a fraction (0.25, not 25).';
COMMENT ON COLUMN ibkeeper.greeks.delta IS 'Change of the option price per 1.00 of the underlying.';
COMMENT ON COLUMN ibkeeper.greeks.gamma IS 'Change of delta per 1.00 of the underlying.';
COMMENT ON COLUMN ibkeeper.greeks.vega IS 'Change of the option price per volatility point (0.01).';
COMMENT ON COLUMN ibkeeper.greeks.theta IS 'Change of the option price per calendar day.';
COMMENT ON COLUMN ibkeeper.greeks.option_price IS 'Price of the option in the computation.';
COMMENT ON COLUMN ibkeeper.greeks.pv_dividend IS 'Present value of the dividends expected until expiry.';
COMMENT ON COLUMN ibkeeper.greeks.underlying_price IS 'Price of the underlying in the computation.';
COMMENT ON COLUMN ibkeeper.greeks.price_based IS 'True: price-based computation; false: return-based; NULL: not said.';

CREATE TABLE ibkeeper.instrument_stat (
    ts timestamptz NOT NULL,
    recv_ts timestamptz NOT NULL,
    instrument_id int NOT NULL,
    seq bigint NOT NULL,
    epoch int NOT NULL,
    provider text NOT NULL,
    quality text NOT NULL,
    tick_type smallint NOT NULL,
    field text NOT NULL,
    value float8,
    text_value text,
    CONSTRAINT instrument_stat_provider_known CHECK (provider IN ('ib', 'standby', 'alpaca')),
    CONSTRAINT instrument_stat_quality_known CHECK (
        quality IN ('live', 'frozen', 'delayed', 'delayed_frozen', 'indicative')
    ),
    CONSTRAINT instrument_stat_one_value CHECK (num_nonnulls(value, text_value) = 1),
    CONSTRAINT instrument_stat_finite CHECK (value > '-Infinity' AND value < 'Infinity')
);
CREATE INDEX instrument_stat_instrument_id_ts_idx ON ibkeeper.instrument_stat (instrument_id, ts DESC);
COMMENT ON TABLE ibkeeper.instrument_stat IS 'Changed statistics (volume, halted, shortable, …); one row a change.';
COMMENT ON COLUMN ibkeeper.instrument_stat.ts IS 'Event time: the exchange''s where the source gives one, else recv_ts.';
COMMENT ON COLUMN ibkeeper.instrument_stat.recv_ts IS 'When the sidecar read the message from the socket.';
COMMENT ON COLUMN ibkeeper.instrument_stat.instrument_id IS 'instrument.id; no foreign key: it would be checked row by row during COPY.';
COMMENT ON COLUMN ibkeeper.instrument_stat.seq IS 'Unbroken within a spool over all four market tables.';
COMMENT ON COLUMN ibkeeper.instrument_stat.epoch IS 'Number of the sidecar start that wrote the row.';
COMMENT ON COLUMN ibkeeper.instrument_stat.provider IS 'Who the row came from: ib, standby, alpaca.';
COMMENT ON COLUMN ibkeeper.instrument_stat.quality IS 'live, frozen, delayed, delayed_frozen or indicative.';
COMMENT ON COLUMN ibkeeper.instrument_stat.tick_type IS 'IB tick type that caused the row.';
COMMENT ON COLUMN ibkeeper.instrument_stat.field IS 'Name of the statistic, as the column of quote_latest is named.';
COMMENT ON COLUMN ibkeeper.instrument_stat.value IS 'The value, when it is a number.';
COMMENT ON COLUMN ibkeeper.instrument_stat.text_value IS 'The value, when it is text.';
