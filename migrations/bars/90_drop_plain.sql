-- Undoes 20_plain.
DROP VIEW ibkeeper.bar_1m_quote, ibkeeper.bar_5m_quote, ibkeeper.bar_1d_quote,
    ibkeeper.bar_1m_trade, ibkeeper.bar_5m_trade, ibkeeper.bar_1d_trade;
DROP TABLE ibkeeper.bar_quote_kept, ibkeeper.bar_trade_kept;
DROP FUNCTION ibkeeper.bars_open_from();
DROP TABLE ibkeeper.bar_day;
DROP FUNCTION ibkeeper.day_start(date);
