-- Alerts: who is told what of which incident. Written as ibcore/queries.sql says.
-- Times are parameters: what an hour's outage of a target does is tried without the hour.

-- alert_fan_out --
-- A row a target for everything that is new: opened, worse, over, once each, and again. What is
-- older than the alerts live is no news.
INSERT INTO ibkeeper.alert (incident_id, target, event, severity, news, created_at, next_at,
                            expires_at)
SELECT i.id, t.target, e.event, i.severity, i.news, %(now)s, %(now)s,
       %(now)s + make_interval(secs => %(lives_s)s)
  FROM ibkeeper.incident i
 CROSS JOIN unnest(%(targets)s::text[]) AS t (target)
 CROSS JOIN LATERAL (
       SELECT CASE WHEN told.worst IS NULL THEN 'opened' ELSE 'worse' END AS event
         FROM (SELECT max(CASE a.severity WHEN 'critical' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END)
                          AS worst
                 FROM ibkeeper.alert a
                WHERE a.incident_id = i.id AND a.target = t.target) AS told
        WHERE told.worst IS NULL
           OR told.worst < CASE i.severity WHEN 'critical' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END
        UNION ALL
       SELECT 'again' WHERE i.news > 1
          AND i.news > (SELECT max(a.news) FROM ibkeeper.alert a
                         WHERE a.incident_id = i.id AND a.target = t.target)
        UNION ALL
       SELECT 'closed' WHERE i.closed_at IS NOT NULL) AS e
 WHERE i.severity = ANY(%(severities)s::text[])
   AND (i.closed_at IS NULL AND i.opened_at > %(now)s - make_interval(secs => %(lives_s)s)
        OR i.closed_at > %(now)s - make_interval(secs => %(lives_s)s))
   AND NOT EXISTS (SELECT FROM ibkeeper.alert a
                    WHERE a.incident_id = i.id AND a.target = t.target AND a.event = 'closed')
ON CONFLICT DO NOTHING
RETURNING id;

-- alert_escalate --
-- What is critical and was not taken in time is told to the targets of the second line, too.
INSERT INTO ibkeeper.alert (incident_id, target, event, severity, escalates, news, created_at,
                            next_at, expires_at)
SELECT a.incident_id, t.target, a.event, a.severity, min(a.target), a.news, %(now)s, %(now)s,
       %(now)s + make_interval(secs => %(lives_s)s)
  FROM ibkeeper.alert a CROSS JOIN unnest(%(escalation)s::text[]) AS t (target)
 WHERE a.severity = 'critical' AND a.escalates IS NULL AND a.event <> 'closed'
   AND a.target = ANY(%(targets)s::text[]) AND a.state <> 'delivered'
   AND a.created_at < %(now)s - make_interval(secs => %(after_s)s)
   AND a.created_at > %(now)s - make_interval(secs => %(lives_s)s)
 GROUP BY a.incident_id, t.target, a.event, a.severity, a.news
ON CONFLICT DO NOTHING
RETURNING id;

-- alert_escalation_over --
-- Who was told by escalation is told the end as well.
INSERT INTO ibkeeper.alert (incident_id, target, event, severity, escalates, created_at, next_at,
                            expires_at)
SELECT DISTINCT ON (i.id, a.target) i.id, a.target, 'closed', i.severity, a.escalates, %(now)s,
       %(now)s, %(now)s + make_interval(secs => %(lives_s)s)
  FROM ibkeeper.alert a JOIN ibkeeper.incident i ON i.id = a.incident_id
 WHERE a.escalates IS NOT NULL AND a.created_at > %(now)s - make_interval(secs => %(lives_s)s)
   AND i.closed_at IS NOT NULL
ON CONFLICT DO NOTHING
RETURNING id;

-- alert_expire --
-- What nobody took in its time is given up; the incident itself stays.
UPDATE ibkeeper.alert SET state = 'expired' WHERE state = 'waiting' AND expires_at <= %(now)s
RETURNING target, error;

-- alert_due --
-- Which targets have something that may be sent now.
SELECT DISTINCT target FROM ibkeeper.alert WHERE state = 'waiting' AND next_at <= %(now)s;

-- alert_target_lock --
-- One message to a target at a time, whoever sends it: the sidecar or connection-sla.
SELECT pg_advisory_xact_lock(hashtextextended('ibkeeper alert ' || %(target)s, 0));

-- alert_waiting --
-- Everything a target is still to be told, the oldest first.
SELECT a.id, a.incident_id, a.event, a.severity, a.escalates, a.created_at, a.attempts, a.next_at,
       i.kind, i.key, i.summary, i.opened_at, i.closed_at, i.closed_because, i.times_seen
  FROM ibkeeper.alert a JOIN ibkeeper.incident i ON i.id = a.incident_id
 WHERE a.target = %(target)s AND a.state = 'waiting'
 ORDER BY a.created_at, a.id LIMIT 5000;

-- alert_messages --
-- What a target was sent of late, a row a message: when, and of which kinds.
SELECT max(a.delivered_at) AS at, array_agg(DISTINCT i.kind) AS kinds
  FROM ibkeeper.alert a JOIN ibkeeper.incident i ON i.id = a.incident_id
 WHERE a.target = %(target)s AND a.state = 'delivered'
   AND a.delivered_at > %(now)s - make_interval(secs => %(window_s)s)
 GROUP BY a.message ORDER BY 1;

-- alert_take --
-- From here until `until` they are being sent; a process that dies over it leaves them to the next.
UPDATE ibkeeper.alert SET message = %(message)s, attempts = attempts + 1, next_at = %(until)s
 WHERE id = ANY(%(ids)s::bigint[]) AND state = 'waiting';

-- alert_delivered --
-- The target took them.
UPDATE ibkeeper.alert SET state = 'delivered', delivered_at = %(now)s, error = NULL
 WHERE id = ANY(%(ids)s::bigint[]) AND state = 'waiting';

-- alert_failed --
-- The target did not, or did not say so: again at `next_at`.
UPDATE ibkeeper.alert SET next_at = %(next_at)s, error = %(error)s
 WHERE id = ANY(%(ids)s::bigint[]) AND state = 'waiting';

-- sla_check_age --
-- How long ago connection-sla last looked, in seconds; no row: never in the last week.
SELECT extract(epoch FROM clock_timestamp() - reported_at)::float8
  FROM ibkeeper.sla_report
 WHERE kind = 'check' AND reported_at > clock_timestamp() - interval '7 days'
 ORDER BY reported_at DESC LIMIT 1;
