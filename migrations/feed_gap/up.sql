-- What is not there, and why. A conflated batch has fewer rows than numbers.

ALTER TABLE ibkeeper.ingest_batch DROP CONSTRAINT ingest_batch_seq_unbroken;
ALTER TABLE ibkeeper.ingest_batch ADD CONSTRAINT ingest_batch_rows_have_numbers
    CHECK (rows <= last_seq - first_seq + 1);

CREATE TABLE ibkeeper.feed_gap (
    id uuid NOT NULL,
    noted_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    sidecar text NOT NULL,
    epoch int NOT NULL,
    instrument_id int,
    cause text NOT NULL,
    from_ts timestamptz NOT NULL,
    to_ts timestamptz,
    spool uuid,
    first_seq bigint,
    last_seq bigint,
    rows bigint,
    detail text,
    filled_by text,
    filled_at timestamptz,
    PRIMARY KEY (id),
    CONSTRAINT feed_gap_cause_known CHECK (
        cause IN ('spool_full', 'memory_full', 'batch_damaged', 'spool_damaged', 'batch_refused')
    ),
    CONSTRAINT feed_gap_ends_after_it_begins CHECK (to_ts >= from_ts),
    CONSTRAINT feed_gap_numbers_in_order CHECK (last_seq >= first_seq),
    CONSTRAINT feed_gap_rows_not_negative CHECK (rows >= 0),
    CONSTRAINT feed_gap_filled_at_a_time CHECK ((filled_by IS NULL) = (filled_at IS NULL))
);
CREATE INDEX feed_gap_from_ts_idx ON ibkeeper.feed_gap (from_ts);
COMMENT ON TABLE ibkeeper.feed_gap IS 'Rows that are not there, and why; one row a cause and stretch of time.';
COMMENT ON COLUMN ibkeeper.feed_gap.id IS 'Given once, by whoever noted the gap.';
COMMENT ON COLUMN ibkeeper.feed_gap.noted_at IS 'When it was noted here.';
COMMENT ON COLUMN ibkeeper.feed_gap.sidecar IS 'Name of the sidecar.';
COMMENT ON COLUMN ibkeeper.feed_gap.epoch IS 'Start of the sidecar.';
COMMENT ON COLUMN ibkeeper.feed_gap.instrument_id IS 'Instrument; NULL: any of those the sidecar streamed.';
COMMENT ON COLUMN ibkeeper.feed_gap.cause IS 'Why; the words of ibcore.domain.GapCause.';
COMMENT ON COLUMN ibkeeper.feed_gap.from_ts IS 'Receive time of the first row that is lost, or near it.';
COMMENT ON COLUMN ibkeeper.feed_gap.to_ts IS 'Of the last one; NULL: still open.';
COMMENT ON COLUMN ibkeeper.feed_gap.spool IS 'Spool whose numbers are missing.';
COMMENT ON COLUMN ibkeeper.feed_gap.first_seq IS 'First seq of it; NULL: unknown.';
COMMENT ON COLUMN ibkeeper.feed_gap.last_seq IS 'Last seq of it; NULL: unknown.';
COMMENT ON COLUMN ibkeeper.feed_gap.rows IS 'How many rows are lost; NULL: unknown.';
COMMENT ON COLUMN ibkeeper.feed_gap.detail IS 'What happened, for a person.';
COMMENT ON COLUMN ibkeeper.feed_gap.filled_by IS 'Who filled it since; NULL: nobody.';
COMMENT ON COLUMN ibkeeper.feed_gap.filled_at IS 'When it was filled.';
