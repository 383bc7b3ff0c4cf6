-- What goes wrong again while its incident is open is told again: a row of the outbox each time.

ALTER TABLE ibkeeper.incident ADD COLUMN news int DEFAULT 1 NOT NULL;
ALTER TABLE ibkeeper.incident ADD COLUMN news_at timestamptz DEFAULT clock_timestamp() NOT NULL;
ALTER TABLE ibkeeper.incident ADD CONSTRAINT incident_news_positive CHECK (news > 0);
COMMENT ON COLUMN ibkeeper.incident.news IS 'How often people had to be told: 1 when it was opened, more when it happened again.';
COMMENT ON COLUMN ibkeeper.incident.news_at IS 'When it was news last.';

ALTER TABLE ibkeeper.alert ADD COLUMN news int DEFAULT 1 NOT NULL;
ALTER TABLE ibkeeper.alert DROP CONSTRAINT alert_event_known;
ALTER TABLE ibkeeper.alert ADD CONSTRAINT alert_event_known
    CHECK (event IN ('opened', 'worse', 'again', 'closed'));
ALTER TABLE ibkeeper.alert DROP CONSTRAINT alert_once;
CREATE UNIQUE INDEX alert_once ON ibkeeper.alert (incident_id, target, event, severity)
    WHERE event <> 'again';
CREATE UNIQUE INDEX alert_again_once ON ibkeeper.alert (incident_id, target, news)
    WHERE event = 'again';
COMMENT ON COLUMN ibkeeper.alert.event IS 'opened, worse (its severity rose), again (it happened again) or closed.';
COMMENT ON COLUMN ibkeeper.alert.news IS 'Of the incident when this was written.';

-- An open incident of the key has happened again. That is news once it lasted as long again as it
-- took to the last news, and every half hour at the latest: what fails every two minutes is told
-- after 2, 4, 8, 16 of them, what fails every hour is told each time.
CREATE FUNCTION ibkeeper.retell_incident(
    a_key text, a_kind text, a_severity text, a_summary text,
    an_opener text DEFAULT session_user, a_detail jsonb DEFAULT '{}'
) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT ibkeeper.open_incident(a_key, a_kind, a_severity, a_summary, an_opener, a_detail);
    UPDATE ibkeeper.incident
       SET news = news + 1, news_at = clock_timestamp()
     WHERE key = a_key AND closed_at IS NULL AND times_seen > 1
       AND clock_timestamp() - news_at >= least(interval '30 minutes', news_at - opened_at);
    SELECT id FROM ibkeeper.incident WHERE key = a_key AND closed_at IS NULL;
$$;
COMMENT ON FUNCTION ibkeeper.retell_incident IS 'Opens an incident, or notes that the open one happened again, which is told in growing intervals.';

CREATE TRIGGER incident_again AFTER UPDATE OF news ON ibkeeper.incident
    FOR EACH ROW WHEN (OLD.news IS DISTINCT FROM NEW.news)
    EXECUTE FUNCTION ibkeeper.notify_incident();
