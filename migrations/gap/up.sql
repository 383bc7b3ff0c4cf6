-- What is not there: rows that were lost, and times in which no stream session was ready. The
-- latter is read from the sessions themselves, so that no crash can leave it unwritten.

CREATE VIEW ibkeeper.v_gap AS
WITH stream AS (
    SELECT s.sidecar, s.epoch, s.close_reason,
           -- A session that nobody closed ended with the last heartbeat of its start.
           coalesce(s.closed_at, CASE WHEN h.epoch <> s.epoch THEN s.ready_at
                                      WHEN h.heartbeat_at < now() - interval '10 seconds'
                                      THEN greatest(h.heartbeat_at, s.ready_at) END) AS ended_at,
           lead(s.ready_at) OVER following AS next_at,
           coalesce(lead(s.epoch) OVER following, h.epoch, s.epoch) AS next_epoch,
           h.state = 'stopped' OR h.heartbeat_at < now() - interval '10 seconds' AS is_down
      FROM ibkeeper.session s
      LEFT JOIN ibkeeper.sidecar h ON h.name = s.sidecar
     WHERE s.role = 'stream' AND s.ready_at IS NOT NULL
    WINDOW following AS (PARTITION BY s.sidecar ORDER BY s.ready_at, s.id)
), known AS (
    SELECT NULL::uuid AS id, sidecar, epoch, NULL::int AS instrument_id,
           CASE WHEN next_epoch <> epoch OR (next_at IS NULL AND is_down) THEN 'sidecar_down'
                ELSE 'session_lost' END AS cause,
           ended_at AS from_ts, next_at AS to_ts, NULL::bigint AS rows, close_reason AS detail,
           NULL::text AS filled_by, NULL::timestamptz AS filled_at
      FROM stream
     WHERE ended_at IS NOT NULL AND (next_at IS NULL OR next_at > ended_at)
     UNION ALL
    SELECT id, sidecar, epoch, instrument_id, cause, from_ts, to_ts, rows, detail, filled_by,
           filled_at
      FROM ibkeeper.feed_gap
)
SELECT *, extract(epoch FROM coalesce(to_ts, now()) - from_ts)::float8 AS seconds FROM known;
COMMENT ON VIEW ibkeeper.v_gap IS
    'What was not recorded, and why: lost rows, and times without a ready stream session. to_ts NULL: still open.';
