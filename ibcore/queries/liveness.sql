-- note_line_states --
-- Every line of one sidecar and provider as one JSON array; what is not in it is not held any more.
WITH held AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
        instrument_id int, cause text, since timestamptz, last_event_at timestamptz,
        rate_per_min float8, expected_s float8)
), gone AS (
    DELETE FROM ibkeeper.line_state s
     WHERE s.sidecar = %(sidecar)s AND s.provider = %(provider)s
       AND NOT EXISTS (SELECT FROM held WHERE held.instrument_id = s.instrument_id)
)
INSERT INTO ibkeeper.line_state (instrument_id, provider, sidecar, cause, since, last_event_at,
                                 rate_per_min, expected_s)
SELECT instrument_id, %(provider)s, %(sidecar)s, cause, since, last_event_at, rate_per_min,
       expected_s
  FROM held
 ORDER BY instrument_id
ON CONFLICT (instrument_id, provider, sidecar) DO UPDATE SET
       cause = excluded.cause, since = excluded.since, last_event_at = excluded.last_event_at,
       rate_per_min = excluded.rate_per_min, expected_s = excluded.expected_s,
       noted_at = clock_timestamp();

-- note_line_cure --
-- Begun, then ended; written twice, or only once it had ended, it is there once.
INSERT INTO ibkeeper.line_cure AS c (id, sidecar, epoch, instrument_id, provider, cause, cure,
                                     state, begun_at, ended_at, reason)
VALUES (%(id)s, %(sidecar)s, %(epoch)s, %(instrument_id)s, %(provider)s, %(cause)s, %(cure)s,
        %(state)s, %(begun_at)s, %(ended_at)s, %(reason)s)
ON CONFLICT (id) DO UPDATE SET
       state = excluded.state, ended_at = excluded.ended_at, reason = excluded.reason
 WHERE c.state = 'running';

-- note_provider_switch --
-- Written twice when a connection broke after its commit; there once.
INSERT INTO ibkeeper.provider_switch (sidecar, epoch, number, instrument_id, at, from_provider,
                                      to_provider, cause, stale_s)
VALUES (%(sidecar)s, %(epoch)s, %(number)s, %(instrument_id)s, %(at)s, %(from_provider)s,
        %(to_provider)s, %(cause)s, %(stale_s)s)
ON CONFLICT DO NOTHING;
