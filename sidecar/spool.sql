-- Statements of the spool's SQLite file; read by ibcore.db.parse_queries, as queries.sql is.

-- create_batch --
-- One immutable row a sealed batch. `crc` is of everything else in the row.
CREATE TABLE IF NOT EXISTS batch (
    spool TEXT NOT NULL, number INTEGER NOT NULL, sidecar TEXT NOT NULL, epoch INTEGER NOT NULL,
    first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, rows INTEGER NOT NULL,
    sealed_us INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (spool, number));

-- create_quarantine --
-- Batches that cannot be committed: damaged on the disk, or refused by the database.
CREATE TABLE IF NOT EXISTS quarantine (
    at_us INTEGER NOT NULL, reason TEXT NOT NULL,
    spool TEXT NOT NULL, number INTEGER NOT NULL, sidecar TEXT NOT NULL, epoch INTEGER NOT NULL,
    first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, rows INTEGER NOT NULL,
    sealed_us INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);

-- create_gap --
-- Losses that feed_gap does not know yet, as JSON.
CREATE TABLE IF NOT EXISTS gap (id TEXT PRIMARY KEY, body TEXT NOT NULL);

-- add_batch --
-- Written again after an answer that got lost: the same row, harmless.
INSERT OR IGNORE INTO batch (spool, number, sidecar, epoch, first_seq, last_seq, rows, sealed_us,
                             crc, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- drop_batch --
-- Only after its rows are committed, or beside its copy in the quarantine.
DELETE FROM batch WHERE spool = ? AND number = ?;

-- quarantine_batch --
-- A copy for a person to look at.
INSERT INTO quarantine
SELECT ?, ?, spool, number, sidecar, epoch, first_seq, last_seq, rows, sealed_us, crc, body
  FROM batch WHERE spool = ? AND number = ?;

-- add_quarantined --
-- The same of a batch that is in memory.
INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- stretches --
-- What earlier lives left, oldest first.
SELECT spool, min(number), max(number), sum(rows), sum(length(body)) - 32 * count(*), count(*)
  FROM batch GROUP BY spool ORDER BY min(rowid);

-- page --
-- The batches of a stretch, in order.
SELECT spool, number, sidecar, epoch, first_seq, last_seq, rows, sealed_us, crc, body
  FROM batch WHERE spool = ? AND number BETWEEN ? AND ? ORDER BY number;

-- newest --
-- The end of what earlier lives left, newest first.
SELECT spool, number, sidecar, epoch, first_seq, last_seq, rows, sealed_us, crc, body
  FROM batch ORDER BY rowid DESC;

-- note_gap --
-- A gap grows until it is closed.
INSERT INTO gap (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body;

-- drop_gap --
-- feed_gap has it now.
DELETE FROM gap WHERE id = ?;

-- gaps --
-- What feed_gap does not know yet.
SELECT id, body FROM gap ORDER BY rowid;
