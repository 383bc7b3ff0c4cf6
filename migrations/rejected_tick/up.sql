-- Ticks that were not believed: evidence, bounded.

CREATE TABLE ibkeeper.rejected_tick (
    id uuid NOT NULL,
    sidecar text NOT NULL,
    epoch int NOT NULL,
    instrument_id int,
    tick_type int,
    reason text NOT NULL,
    raw text,
    recv_ts timestamptz NOT NULL,
    last_ts timestamptz NOT NULL,
    alike bigint DEFAULT 0 NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT rejected_tick_reason_known CHECK (
        reason IN ('unreadable', 'not_finite', 'out_of_range', 'negative_price', 'negative_amount',
                   'too_fine', 'too_long', 'too_many')
    ),
    CONSTRAINT rejected_tick_ends_after_it_begins CHECK (last_ts >= recv_ts),
    CONSTRAINT rejected_tick_alike_not_negative CHECK (alike >= 0)
);
CREATE INDEX rejected_tick_sidecar_recv_ts_idx ON ibkeeper.rejected_tick (sidecar, recv_ts);
COMMENT ON TABLE ibkeeper.rejected_tick IS 'Ticks that were not believed, by the minute; the newest 100,000 rows of a sidecar.';
COMMENT ON COLUMN ibkeeper.rejected_tick.id IS 'Given once, by whoever refused the tick.';
COMMENT ON COLUMN ibkeeper.rejected_tick.sidecar IS 'Name of the sidecar.';
COMMENT ON COLUMN ibkeeper.rejected_tick.epoch IS 'Start of the sidecar.';
COMMENT ON COLUMN ibkeeper.rejected_tick.instrument_id IS 'instrument.id; NULL: of no open line, or of many.';
COMMENT ON COLUMN ibkeeper.rejected_tick.tick_type IS 'IB tick type; -1: unreadable, NULL: many.';
COMMENT ON COLUMN ibkeeper.rejected_tick.reason IS 'Why; the words of ibcore.domain.RejectReason.';
COMMENT ON COLUMN ibkeeper.rejected_tick.raw IS 'What the first of them said, fields separated by ;.';
COMMENT ON COLUMN ibkeeper.rejected_tick.recv_ts IS 'When the first of them was received.';
COMMENT ON COLUMN ibkeeper.rejected_tick.last_ts IS 'When the last of them was.';
COMMENT ON COLUMN ibkeeper.rejected_tick.alike IS 'How many more of them came within the minute.';
