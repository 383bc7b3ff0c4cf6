-- Undoes up.sql. A ledger that knows conflated batches keeps them: NOT VALID.
DROP TABLE ibkeeper.feed_gap;
ALTER TABLE ibkeeper.ingest_batch DROP CONSTRAINT ingest_batch_rows_have_numbers;
ALTER TABLE ibkeeper.ingest_batch ADD CONSTRAINT ingest_batch_seq_unbroken
    CHECK (last_seq - first_seq + 1 = rows) NOT VALID;
