-- The sidecar's status page: what its memory does not have. As ibcore/queries.sql says.

-- page_steps_before --
-- Steps of earlier starts: since a moment, the last one before it, and the ends that a crash
-- left to the next start to write: at the last heartbeat, or the last step if that was later.
SELECT * FROM (
SELECT e.role, e.at, e.new_state AS state, e.code, e.reason
  FROM ibkeeper.session_event e
 WHERE e.sidecar = %(sidecar)s AND e.epoch < %(epoch)s AND e.at > %(since)s
 UNION ALL
SELECT l.role, l.at, l.new_state, l.code, l.reason
  FROM (SELECT DISTINCT ON (role) * FROM ibkeeper.session_event
         WHERE sidecar = %(sidecar)s AND epoch < %(epoch)s
           AND at BETWEEN %(since)s - interval '1 day' AND %(since)s
         ORDER BY role, at DESC, id DESC) AS l
 UNION ALL
SELECT s.role,
       greatest(s.closed_at, (SELECT max(at) FROM ibkeeper.session_event
                               WHERE sidecar = s.sidecar AND role = s.role AND epoch = s.epoch
                                 AND at >= s.opened_at)),
       'down', NULL, s.close_reason
  FROM ibkeeper.session s
 WHERE s.sidecar = %(sidecar)s AND s.epoch < %(epoch)s AND s.closed_at > %(since)s
   AND s.close_reason = 'the sidecar was killed') AS step
 ORDER BY at, state = 'down';

-- page_minutes_before --
-- What the last hour delivered before this start.
SELECT minute AS at, sum(ticks)::float8 / 60 AS ticks_per_s, sum(rows)::float8 / 60 AS rows_per_s,
       max(latency_p50_ms) AS p50_ms, max(latency_p99_ms) AS p99_ms
  FROM ibkeeper.feed_minute
 WHERE sidecar = %(sidecar)s AND minute > %(since)s
   AND minute < date_trunc('minute', %(started_at)s::timestamptz)
 GROUP BY minute ORDER BY minute;

-- page_gaps --
-- The newest gaps of a day, and those that are still open.
SELECT g.cause, g.from_ts, g.to_ts, g.seconds, g.rows, g.detail, g.filled_by,
       coalesce(i.local_symbol, i.symbol) AS instrument
  FROM ibkeeper.v_gap g LEFT JOIN ibkeeper.instrument i ON i.id = g.instrument_id
 WHERE g.sidecar = %(sidecar)s
   AND (g.to_ts IS NULL OR g.to_ts > clock_timestamp() - interval '24 hours')
 ORDER BY g.to_ts IS NOT NULL, g.from_ts DESC LIMIT %(most)s;

-- page_incidents --
-- What is open, whoever opened it.
SELECT kind, severity, summary, opened_at, times_seen FROM ibkeeper.incident
 WHERE closed_at IS NULL
 ORDER BY array_position(ARRAY['critical', 'warning', 'info'], severity), opened_at
 LIMIT %(most)s;

-- page_switches_before --
-- The last switches of providers in earlier starts, what went together as one.
SELECT p.at, p.from_provider, p.to_provider, p.cause, count(*)::int AS instruments,
       max(p.stale_s) AS stale_s,
       (array_agg(coalesce(i.local_symbol, i.symbol) ORDER BY i.symbol, i.local_symbol))[1:5]
           AS names
  FROM ibkeeper.provider_switch p JOIN ibkeeper.instrument i ON i.id = p.instrument_id
 WHERE p.sidecar = %(sidecar)s AND p.epoch < %(epoch)s
   AND p.at > %(started_at)s::timestamptz - interval '7 days'
 GROUP BY p.epoch, p.number, p.at, p.from_provider, p.to_provider, p.cause
 ORDER BY p.at DESC LIMIT %(most)s;

-- page_cures --
-- What was done about silent lines lately.
SELECT c.begun_at, c.ended_at, c.cause, c.cure, c.state, c.reason,
       coalesce(i.local_symbol, i.symbol) AS instrument
  FROM ibkeeper.line_cure c LEFT JOIN ibkeeper.instrument i ON i.id = c.instrument_id
 WHERE c.sidecar = %(sidecar)s AND c.begun_at > clock_timestamp() - interval '24 hours'
 ORDER BY c.begun_at DESC LIMIT %(most)s;

-- page_unserved --
-- Lines of the watch list that do not stream, but for those that only wait for the session.
SELECT symbol, sec_type, expiry, strike::float8 AS strike, "right", state, reason, changed_at
  FROM ibkeeper.watch
 WHERE sidecar = %(sidecar)s
   AND (state IN ('failed', 'over_budget') OR (state = 'pending' AND instrument_id IS NULL))
 ORDER BY priority, id LIMIT %(most)s;
