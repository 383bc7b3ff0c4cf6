-- The replay ledger, the sidecars and what each minute cost.

CREATE TABLE ibkeeper.ingest_batch (
    spool uuid NOT NULL,
    batch bigint NOT NULL,
    sidecar text NOT NULL,
    epoch int NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    rows int NOT NULL,
    sealed_at timestamptz NOT NULL,
    committed_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (spool, batch),
    CONSTRAINT ingest_batch_seq_unbroken CHECK (last_seq - first_seq + 1 = rows),
    CONSTRAINT ingest_batch_not_empty CHECK (rows > 0)
);
CREATE INDEX ingest_batch_epoch_first_seq_idx ON ibkeeper.ingest_batch (epoch, first_seq);
COMMENT ON TABLE ibkeeper.ingest_batch IS 'Replay ledger: a batch that is here is committed and is never sent again.';
COMMENT ON COLUMN ibkeeper.ingest_batch.spool IS 'Spool that numbered the batch.';
COMMENT ON COLUMN ibkeeper.ingest_batch.batch IS 'Number of the batch within the spool.';
COMMENT ON COLUMN ibkeeper.ingest_batch.sidecar IS 'Name of the sidecar.';
COMMENT ON COLUMN ibkeeper.ingest_batch.epoch IS 'Start of the sidecar.';
COMMENT ON COLUMN ibkeeper.ingest_batch.first_seq IS 'First seq of the batch.';
COMMENT ON COLUMN ibkeeper.ingest_batch.last_seq IS 'Last seq of the batch.';
COMMENT ON COLUMN ibkeeper.ingest_batch.rows IS 'Rows of the batch, over all four market tables.';
COMMENT ON COLUMN ibkeeper.ingest_batch.sealed_at IS 'When the batch was closed for new rows.';
COMMENT ON COLUMN ibkeeper.ingest_batch.committed_at IS 'When the transaction was about to commit.';

CREATE TABLE ibkeeper.sidecar (
    name text NOT NULL,
    epoch int NOT NULL,
    pid int,
    host text,
    version text,
    state text NOT NULL,
    started_at timestamptz NOT NULL,
    heartbeat_at timestamptz NOT NULL,
    stopped_at timestamptz,
    lines_used int,
    lines_limit int,
    ticks_total bigint DEFAULT 0 NOT NULL,
    rows_total bigint DEFAULT 0 NOT NULL,
    backlog_rows int DEFAULT 0 NOT NULL,
    dropped_rows bigint DEFAULT 0 NOT NULL,
    latency_p50_ms float8,
    latency_p99_ms float8,
    PRIMARY KEY (name),
    CONSTRAINT sidecar_state_known CHECK (
        state IN ('starting', 'running', 'draining', 'stopped')
    ),
    CONSTRAINT sidecar_counters_not_negative CHECK (
        ticks_total >= 0
        AND rows_total >= 0
        AND backlog_rows >= 0
        AND dropped_rows >= 0
    )
);
COMMENT ON TABLE ibkeeper.sidecar IS 'Sidecars and their heartbeat; one row a name.';
COMMENT ON COLUMN ibkeeper.sidecar.name IS 'Name of the sidecar.';
COMMENT ON COLUMN ibkeeper.sidecar.epoch IS 'Number of its newest start.';
COMMENT ON COLUMN ibkeeper.sidecar.pid IS 'Process id on its host.';
COMMENT ON COLUMN ibkeeper.sidecar.host IS 'Machine it runs on.';
COMMENT ON COLUMN ibkeeper.sidecar.version IS 'Version of ibkeeper.';
COMMENT ON COLUMN ibkeeper.sidecar.state IS 'starting, running, draining or stopped.';
COMMENT ON COLUMN ibkeeper.sidecar.started_at IS 'When it was started.';
COMMENT ON COLUMN ibkeeper.sidecar.heartbeat_at IS 'When it last wrote this row.';
COMMENT ON COLUMN ibkeeper.sidecar.stopped_at IS 'When it stopped in good order.';
COMMENT ON COLUMN ibkeeper.sidecar.lines_used IS 'Market-data lines in use.';
COMMENT ON COLUMN ibkeeper.sidecar.lines_limit IS 'Market-data lines allowed.';
COMMENT ON COLUMN ibkeeper.sidecar.ticks_total IS 'Tick messages read since its start.';
COMMENT ON COLUMN ibkeeper.sidecar.rows_total IS 'Market rows committed since its start.';
COMMENT ON COLUMN ibkeeper.sidecar.backlog_rows IS 'Rows that wait to be committed.';
COMMENT ON COLUMN ibkeeper.sidecar.dropped_rows IS 'Rows given up since its start because the backlog was full.';
COMMENT ON COLUMN ibkeeper.sidecar.latency_p50_ms IS 'Median of commit minus receive, last minute, ms.';
COMMENT ON COLUMN ibkeeper.sidecar.latency_p99_ms IS '99th percentile of the same, ms.';

CREATE TABLE ibkeeper.feed_minute (
    minute timestamptz NOT NULL,
    sidecar text NOT NULL,
    provider text NOT NULL,
    ticks bigint NOT NULL,
    rows bigint NOT NULL,
    batches int NOT NULL,
    latency_p50_ms float8,
    latency_p99_ms float8,
    latency_max_ms float8,
    staleness_max_s float8,
    PRIMARY KEY (minute, sidecar, provider),
    CONSTRAINT feed_minute_is_a_minute CHECK (date_trunc('minute', minute, 'UTC') = minute),
    CONSTRAINT feed_minute_provider_known CHECK (provider IN ('ib', 'standby', 'alpaca')),
    CONSTRAINT feed_minute_counters_not_negative CHECK (ticks >= 0 AND rows >= 0 AND batches >= 0)
);
COMMENT ON TABLE ibkeeper.feed_minute IS 'Messages, rows and latency, by minute, sidecar and provider.';
COMMENT ON COLUMN ibkeeper.feed_minute.minute IS 'Start of the minute.';
COMMENT ON COLUMN ibkeeper.feed_minute.sidecar IS 'Name of the sidecar.';
COMMENT ON COLUMN ibkeeper.feed_minute.provider IS 'Who delivered.';
COMMENT ON COLUMN ibkeeper.feed_minute.ticks IS 'Tick messages read.';
COMMENT ON COLUMN ibkeeper.feed_minute.rows IS 'Market rows committed.';
COMMENT ON COLUMN ibkeeper.feed_minute.batches IS 'Batches committed.';
COMMENT ON COLUMN ibkeeper.feed_minute.latency_p50_ms IS 'Median of commit minus receive, ms.';
COMMENT ON COLUMN ibkeeper.feed_minute.latency_p99_ms IS '99th percentile of commit minus receive, ms.';
COMMENT ON COLUMN ibkeeper.feed_minute.latency_max_ms IS 'Maximum of commit minus receive, ms.';
COMMENT ON COLUMN ibkeeper.feed_minute.staleness_max_s IS 'Longest silence of a line that should have moved, s.';
