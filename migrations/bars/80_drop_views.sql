-- Undoes 40 and 30.
DROP INDEX ibkeeper.quote_ts_brin_idx, ibkeeper.trade_ts_brin_idx, ibkeeper.greeks_ts_brin_idx,
    ibkeeper.instrument_stat_ts_brin_idx;
DROP VIEW ibkeeper.bar_1m, ibkeeper.bar_5m, ibkeeper.bar_1d;
