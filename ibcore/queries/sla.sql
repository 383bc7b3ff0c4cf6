-- Promises of the connection: what one look and what a report needs. As ibcore/queries.sql says.

-- sla_facts --
-- One row a sidecar that was there in the last week. Not ready: since when the newest stream
-- session is not, or since the sidecar started. Latency: the last three whole minutes.
SELECT s.name AS sidecar, s.state,
       extract(epoch FROM clock_timestamp() - s.heartbeat_at)::float8 AS heartbeat_age_s,
       CASE WHEN n.state = 'ready' THEN 0.0
            ELSE extract(epoch FROM clock_timestamp() - coalesce(r.closed_at, s.started_at))::float8
        END AS not_ready_s,
       coalesce(w.active, 0)::int AS active_lines, coalesce(w.stale, '{}'::text[]) AS stale_lines,
       m.p99 AS latency_p99_ms, coalesce(g.open_gaps, 0)::int AS open_gaps
  FROM ibkeeper.sidecar s
  LEFT JOIN LATERAL (SELECT state FROM ibkeeper.session
                      WHERE sidecar = s.name AND role = 'stream'
                      ORDER BY opened_at DESC, id DESC LIMIT 1) n ON true
  LEFT JOIN LATERAL (SELECT max(closed_at) AS closed_at FROM ibkeeper.session
                      WHERE sidecar = s.name AND role = 'stream' AND epoch = s.epoch
                        AND ready_at IS NOT NULL) r ON true
  LEFT JOIN LATERAL (SELECT count(*) AS active,
                            array_agg(w.symbol ORDER BY w.symbol)
                              FILTER (WHERE coalesce(q.recv_ts, w.changed_at)
                                            < clock_timestamp() - make_interval(secs => %(stale_s)s))
                              AS stale
                       FROM ibkeeper.watch w
                       LEFT JOIN ibkeeper.quote_latest q ON q.instrument_id = w.instrument_id
                      WHERE w.sidecar = s.name AND w.state = 'active') w ON true
  LEFT JOIN LATERAL (SELECT max(latency_p99_ms) AS p99 FROM ibkeeper.feed_minute
                      WHERE sidecar = s.name
                        AND minute >= date_trunc('minute', clock_timestamp()) - interval '3 minutes'
                        AND minute < date_trunc('minute', clock_timestamp())) m ON true
  LEFT JOIN LATERAL (SELECT count(*) AS open_gaps FROM ibkeeper.feed_gap
                      WHERE sidecar = s.name AND to_ts IS NULL) g ON true
 WHERE s.heartbeat_at > clock_timestamp() - interval '7 days'
 ORDER BY s.name;

-- sla_report_insert --
-- The newest check proves to the sidecar that Prefect lives.
INSERT INTO ibkeeper.sla_report (kind, from_ts, to_ts, breaches, figures)
VALUES (%(kind)s, %(from_ts)s, %(to_ts)s, %(breaches)s, %(figures)s::jsonb)
RETURNING id;

-- flow_run_told --
-- Whether an incident tells of this run already, open or over.
SELECT EXISTS (SELECT FROM ibkeeper.incident
                WHERE kind = 'flow_failed' AND opened_at > clock_timestamp() - interval '2 days'
                  AND detail ? %(run)s) AS told;

-- sla_ready --
-- When the stream session of a sidecar was ready. One that a crash left open ended, as far as
-- anybody knows, with the last heartbeat (as in v_session_uptime); a fresh one says that it lasts.
SELECT greatest(s.ready_at, %(begin)s) AS from_ts,
       least(coalesce(s.closed_at, CASE WHEN h.name IS NULL THEN now()
                                        WHEN h.epoch = s.epoch
                                             AND h.heartbeat_at > now() - interval '5 seconds'
                                        THEN now()
                                        WHEN h.epoch = s.epoch THEN h.heartbeat_at
                                        ELSE s.opened_at END), %(end)s) AS to_ts
  FROM ibkeeper.session s LEFT JOIN ibkeeper.sidecar h ON h.name = s.sidecar
 WHERE s.sidecar = %(sidecar)s AND s.role = 'stream' AND s.ready_at IS NOT NULL
   AND s.ready_at < %(end)s AND (s.closed_at IS NULL OR s.closed_at > %(begin)s)
 ORDER BY s.ready_at;

-- sla_sessions --
-- How long connecting took, of those that became ready.
SELECT count(*) FILTER (WHERE ready_at IS NOT NULL) AS connected,
       count(*) FILTER (WHERE ready_at IS NULL) AS refused,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY connect_ms) AS connect_p50_ms,
       max(connect_ms) AS connect_max_ms
  FROM ibkeeper.session
 WHERE sidecar = %(sidecar)s AND role = 'stream' AND opened_at >= %(begin)s AND opened_at < %(end)s;

-- sla_waits --
-- Every wait that was planned after a failed attempt, to be held against 1, 2, 4 … 60 s.
SELECT attempt, backoff_s FROM ibkeeper.session_event
 WHERE sidecar = %(sidecar)s AND role = 'stream' AND backoff_s IS NOT NULL
   AND at >= %(begin)s AND at < %(end)s
 ORDER BY id;

-- sla_losses --
-- From every loss of a ready session to the next ready one; NULL: not until now.
SELECT e.at AS from_ts,
       (SELECT min(n.at) FROM ibkeeper.session_event n
         WHERE n.sidecar = e.sidecar AND n.role = e.role AND n.new_state = 'ready'
           AND n.old_state = 'connecting' AND n.at > e.at) AS to_ts
  FROM ibkeeper.session_event e
 WHERE e.sidecar = %(sidecar)s AND e.role = 'stream' AND e.old_state = 'ready'
   AND e.new_state = 'waiting' AND e.at >= %(begin)s AND e.at < %(end)s
 ORDER BY e.at;

-- sla_latency --
-- Commit minus receive by minute: as a line for the plot, the worst of all providers.
SELECT minute, max(latency_p50_ms) AS p50_ms, max(latency_p99_ms) AS p99_ms, sum(ticks) AS ticks
  FROM ibkeeper.feed_minute
 WHERE sidecar = %(sidecar)s AND minute >= %(begin)s AND minute < %(end)s AND ticks > 0
 GROUP BY minute ORDER BY minute;

-- sla_coverage --
-- Minutes of the market with a quote, by instrument that is on the watch list. One pass: by
-- instrument it was eight times as slow where the bars are made of ticks (days not closed yet).
WITH watched AS MATERIALIZED (
     SELECT DISTINCT instrument_id AS id FROM ibkeeper.watch
      WHERE sidecar = %(sidecar)s AND instrument_id IS NOT NULL
), covered AS (
     SELECT q.instrument_id AS id, count(*)::int AS minutes
       FROM unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) AS m (begins, ends)
       JOIN ibkeeper.bar_1m_quote q ON q.ts >= m.begins AND q.ts < m.ends
      WHERE q.instrument_id = ANY (ARRAY(SELECT id FROM watched)) AND q.quotes > 0
      GROUP BY q.instrument_id
)
SELECT i.id, i.sec_type, coalesce(i.local_symbol, i.symbol) AS local_symbol,
       coalesce(c.minutes, 0) AS minutes
  FROM watched
  JOIN ibkeeper.instrument i USING (id)
  LEFT JOIN covered c USING (id)
 ORDER BY minutes, local_symbol;

-- sla_instrument_latency --
-- Commit minus receive by instrument that is on the watch list, of a bounded sample: of every slice
-- of the period the first quotes and the first trades, each found by the index on (instrument, ts).
-- A row's batch is the last of its epoch that begins at or before it.
WITH watched AS MATERIALIZED (
     SELECT DISTINCT instrument_id FROM ibkeeper.watch
      WHERE sidecar = %(sidecar)s AND instrument_id IS NOT NULL
), sample AS MATERIALIZED (
     SELECT w.instrument_id, 1000 * extract(epoch FROM b.committed_at - r.recv_ts)::float8 AS ms
       FROM watched w
      CROSS JOIN unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) AS m (begins, ends)
      CROSS JOIN LATERAL (
            (SELECT epoch, seq, recv_ts FROM ibkeeper.quote
              WHERE instrument_id = w.instrument_id AND ts >= m.begins AND ts < m.ends
              ORDER BY ts, epoch, seq LIMIT %(each)s)
            UNION ALL
            (SELECT epoch, seq, recv_ts FROM ibkeeper.trade
              WHERE instrument_id = w.instrument_id AND ts >= m.begins AND ts < m.ends
              ORDER BY ts, epoch, seq LIMIT %(each)s)) AS r
      CROSS JOIN LATERAL (
            SELECT sidecar, last_seq, committed_at FROM ibkeeper.ingest_batch
             WHERE epoch = r.epoch AND first_seq <= r.seq
             ORDER BY first_seq DESC LIMIT 1) AS b
      WHERE b.last_seq >= r.seq AND b.sidecar = %(sidecar)s
)
SELECT coalesce(i.local_symbol, i.symbol) AS local_symbol, s.sampled, s.p50_ms, s.p99_ms
  FROM (SELECT instrument_id, count(*)::int AS sampled,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY greatest(0.0, ms)) AS p50_ms,
               percentile_cont(0.99) WITHIN GROUP (ORDER BY greatest(0.0, ms)) AS p99_ms
          FROM sample GROUP BY instrument_id) s
  JOIN ibkeeper.instrument i ON i.id = s.instrument_id
 ORDER BY s.p99_ms DESC, local_symbol;

-- sla_observed --
-- Since when a sidecar is there at all: before that nothing was promised.
SELECT min(opened_at) AS since FROM ibkeeper.session
 WHERE sidecar = %(sidecar)s AND role = 'stream';
