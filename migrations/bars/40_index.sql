-- For questions about a time and every instrument. A BRIN over rows that arrive in the order of
-- time is a thousandth of the table and costs the ingest nothing that could be measured.

CREATE INDEX quote_ts_brin_idx ON ibkeeper.quote USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX trade_ts_brin_idx ON ibkeeper.trade USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX greeks_ts_brin_idx ON ibkeeper.greeks USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX instrument_stat_ts_brin_idx ON ibkeeper.instrument_stat USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);
