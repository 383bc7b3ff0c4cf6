-- Where rows are published beside the database, and how far each of these places is.

CREATE TABLE ibkeeper.sink (
    name text NOT NULL,
    cursor text,
    published bigint DEFAULT 0 NOT NULL,
    newest_ts timestamptz,
    error text,
    noted_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (name),
    CONSTRAINT sink_published_not_negative CHECK (published >= 0)
);
COMMENT ON TABLE ibkeeper.sink IS 'Where rows are published beside the database; one row a sink.';
COMMENT ON COLUMN ibkeeper.sink.name IS 'redis or nats.';
COMMENT ON COLUMN ibkeeper.sink.cursor IS 'Up to where it has everything (position.seq, see ingest_order); NULL: nothing yet.';
COMMENT ON COLUMN ibkeeper.sink.published IS 'Rows published, over all starts.';
COMMENT ON COLUMN ibkeeper.sink.newest_ts IS 'Receive time of the newest row it has.';
COMMENT ON COLUMN ibkeeper.sink.error IS 'Why it does not go on; NULL: it does.';
COMMENT ON COLUMN ibkeeper.sink.noted_at IS 'When this was written; every second while the process runs.';
