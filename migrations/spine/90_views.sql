-- What people and dashboards read.

CREATE VIEW ibkeeper.v_quote_latest AS
SELECT i.symbol, i.sec_type, i.local_symbol, i.expiry, i.strike, i."right",
       q.*,
       CASE WHEN q.bid > 0 AND q.ask > 0 THEN (q.bid + q.ask) / 2 END AS mid,
       q.ask - q.bid AS spread,
       extract(epoch FROM clock_timestamp() - q.recv_ts)::float8 AS age_s
  FROM ibkeeper.quote_latest q
  JOIN ibkeeper.instrument i ON i.id = q.instrument_id;
COMMENT ON VIEW ibkeeper.v_quote_latest IS
    'Newest values by instrument; mid and spread in its currency, age_s seconds since arrival.';

CREATE VIEW ibkeeper.v_session_uptime AS
WITH ended AS (
    -- A session that a crash left open ended, as far as anybody knows, with the last heartbeat;
    -- one of an older start, that nobody closed, proves nothing beyond its opening.
    SELECT s.*,
           coalesce(s.closed_at, CASE WHEN h.name IS NULL THEN now()
                                      WHEN h.epoch = s.epoch THEN h.heartbeat_at
                                      ELSE s.opened_at END) AS ended_at
      FROM ibkeeper.session s
      LEFT JOIN ibkeeper.sidecar h ON h.name = s.sidecar
), seen AS (
    SELECT sidecar, role, provider, state, ready_at, opened_at,
           greatest(opened_at, now() - interval '24 hours') AS from_at,
           -- CASE, because greatest() ignores NULL: a session that never was ready has no start.
           CASE WHEN ready_at IS NOT NULL
                THEN greatest(ready_at, now() - interval '24 hours') END AS up_from_at,
           least(ended_at, now()) AS to_at
      FROM ended
     WHERE ended_at > now() - interval '24 hours'
), summed AS (
    SELECT sidecar, role, provider,
           count(*) AS sessions,
           count(*) FILTER (WHERE ready_at IS NULL) AS never_ready,
           (array_agg(state ORDER BY opened_at DESC))[1] AS state,
           min(from_at) AS observed_from_at,
           extract(epoch FROM now() - min(from_at))::float8 AS observed_s,
           coalesce(sum(extract(epoch FROM greatest(to_at - up_from_at, interval '0'))), 0)::float8
               AS ready_s
      FROM seen
     GROUP BY sidecar, role, provider
)
SELECT *, least(ready_s / nullif(observed_s, 0), 1.0) AS uptime FROM summed;
COMMENT ON VIEW ibkeeper.v_session_uptime IS
    'Sessions of the last 24 hours: ready seconds over observed seconds, by sidecar and role.';

CREATE VIEW ibkeeper.v_latency_1m AS
SELECT minute, sidecar, provider, ticks, rows, batches, ticks / 60.0 AS ticks_per_s,
       latency_p50_ms, latency_p99_ms, latency_max_ms, staleness_max_s
  FROM ibkeeper.feed_minute;
COMMENT ON VIEW ibkeeper.v_latency_1m IS
    'Commit minus receive by minute, in milliseconds, with the rates of that minute.';
