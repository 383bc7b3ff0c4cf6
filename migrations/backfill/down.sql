DROP VIEW ibkeeper.v_gap;
DROP VIEW ibkeeper.v_quote_filled, ibkeeper.v_trade_filled;
DROP TABLE ibkeeper.backfill_quote, ibkeeper.backfill_trade, ibkeeper.backfill_bar;
DROP TABLE ibkeeper.gap_fill;
DROP TRIGGER watch_gap ON ibkeeper.watch;
DROP FUNCTION ibkeeper.watch_gap();
DROP INDEX ibkeeper.feed_gap_open_line_idx;
DELETE FROM ibkeeper.feed_gap WHERE cause IN ('line_refused', 'over_budget');
ALTER TABLE ibkeeper.feed_gap DROP CONSTRAINT feed_gap_cause_known;
ALTER TABLE ibkeeper.feed_gap ADD CONSTRAINT feed_gap_cause_known CHECK (
    cause IN ('spool_full', 'memory_full', 'batch_damaged', 'spool_damaged', 'batch_refused')
);
