-- What a person is to be told: opened once, seen again while it lasts, closed once.

CREATE TABLE ibkeeper.incident (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    summary text NOT NULL,
    detail jsonb DEFAULT '{}' NOT NULL,
    opened_by text NOT NULL,
    opened_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    last_seen_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    closed_at timestamptz,
    closed_because text,
    times_seen int DEFAULT 1 NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT incident_key_not_empty CHECK (key <> ''),
    CONSTRAINT incident_severity_known CHECK (severity IN ('info', 'warning', 'critical')),
    CONSTRAINT incident_seen_after_opened CHECK (last_seen_at >= opened_at),
    CONSTRAINT incident_closed_after_opened CHECK (closed_at >= opened_at),
    CONSTRAINT incident_closed_because CHECK ((closed_at IS NULL) = (closed_because IS NULL)),
    CONSTRAINT incident_times_positive CHECK (times_seen > 0)
);
CREATE UNIQUE INDEX incident_one_open_a_key ON ibkeeper.incident (key) WHERE closed_at IS NULL;
CREATE INDEX incident_opened_at_idx ON ibkeeper.incident (opened_at);
COMMENT ON TABLE ibkeeper.incident IS 'What a person is told, once: one row from when it is noticed until it is over.';
COMMENT ON COLUMN ibkeeper.incident.id IS 'Given by the database.';
COMMENT ON COLUMN ibkeeper.incident.key IS 'What it is about: kind, and of whom; one open incident a key.';
COMMENT ON COLUMN ibkeeper.incident.kind IS 'The words of ibcore.incidents.IncidentKind; docs/runbook.md has a section for each.';
COMMENT ON COLUMN ibkeeper.incident.severity IS 'info, warning or critical; it only rises while the incident is open.';
COMMENT ON COLUMN ibkeeper.incident.summary IS 'One line for a person: what happened and what is safe.';
COMMENT ON COLUMN ibkeeper.incident.detail IS 'Figures, by name.';
COMMENT ON COLUMN ibkeeper.incident.opened_by IS 'Sidecar, flow or person that noticed it first.';
COMMENT ON COLUMN ibkeeper.incident.opened_at IS 'When it was noticed.';
COMMENT ON COLUMN ibkeeper.incident.last_seen_at IS 'When it was noticed last.';
COMMENT ON COLUMN ibkeeper.incident.closed_at IS 'When it was over; NULL: it is still open.';
COMMENT ON COLUMN ibkeeper.incident.closed_because IS 'What ended it, for a person.';
COMMENT ON COLUMN ibkeeper.incident.times_seen IS 'How often it was noticed.';

-- Called in the transaction of the fact. An open incident of the key is seen again.
CREATE FUNCTION ibkeeper.open_incident(
    a_key text, a_kind text, a_severity text, a_summary text,
    an_opener text DEFAULT session_user, a_detail jsonb DEFAULT '{}'
) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    INSERT INTO ibkeeper.incident AS i (key, kind, severity, summary, detail, opened_by)
    VALUES (a_key, a_kind, a_severity, a_summary, a_detail, an_opener)
    ON CONFLICT (key) WHERE closed_at IS NULL DO UPDATE
       SET last_seen_at = greatest(clock_timestamp(), i.last_seen_at),
           times_seen = i.times_seen + 1,
           summary = excluded.summary,
           detail = i.detail || excluded.detail,
           severity = CASE WHEN 'critical' IN (i.severity, excluded.severity) THEN 'critical'
                           WHEN 'warning' IN (i.severity, excluded.severity) THEN 'warning'
                           ELSE 'info' END
    RETURNING id
$$;
COMMENT ON FUNCTION ibkeeper.open_incident IS 'Opens an incident, or notes that the open one of this key was seen again.';

-- Nothing happens when none is open. Says how many were.
CREATE FUNCTION ibkeeper.close_incident(a_key text, a_reason text) RETURNS int
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH closed AS (
        UPDATE ibkeeper.incident
           SET closed_at = greatest(clock_timestamp(), opened_at), closed_because = a_reason
         WHERE key = a_key AND closed_at IS NULL
        RETURNING 1
    ) SELECT count(*)::int FROM closed
$$;
COMMENT ON FUNCTION ibkeeper.close_incident IS 'Closes the open incident of this key, if there is one.';
