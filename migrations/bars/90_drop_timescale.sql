-- Undoes 20_timescale.
DROP MATERIALIZED VIEW ibkeeper.bar_5m_quote;
DROP MATERIALIZED VIEW ibkeeper.bar_1d_quote;
DROP MATERIALIZED VIEW ibkeeper.bar_1m_quote;
DROP MATERIALIZED VIEW ibkeeper.bar_5m_trade;
DROP MATERIALIZED VIEW ibkeeper.bar_1d_trade;
DROP MATERIALIZED VIEW ibkeeper.bar_1m_trade;
