-- How each line is, why a silent one is silent, what was done about it; the link of each session.

CREATE TABLE ibkeeper.line_state (
    instrument_id int NOT NULL,
    provider text NOT NULL,
    sidecar text NOT NULL,
    cause text NOT NULL,
    since timestamptz NOT NULL,
    last_event_at timestamptz,
    rate_per_min float8,
    expected_s float8,
    noted_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (instrument_id, provider, sidecar),
    FOREIGN KEY(instrument_id) REFERENCES ibkeeper.instrument (id),
    CONSTRAINT line_state_provider_known CHECK (provider IN ('ib', 'standby', 'alpaca')),
    CONSTRAINT line_state_cause_known CHECK (cause IN (
        'ticking', 'quiet', 'halted', 'closed', 'dead_line', 'farm', 'link', 'competing_session'
    )),
    CONSTRAINT line_state_rate_not_negative CHECK (rate_per_min >= 0),
    CONSTRAINT line_state_expected_not_negative CHECK (expected_s >= 0)
);
COMMENT ON TABLE ibkeeper.line_state IS 'How each streamed line is now; written when it changes and every few seconds.';
COMMENT ON COLUMN ibkeeper.line_state.instrument_id IS 'Whose line.';
COMMENT ON COLUMN ibkeeper.line_state.provider IS 'ib, standby or alpaca.';
COMMENT ON COLUMN ibkeeper.line_state.sidecar IS 'Sidecar that holds the line.';
COMMENT ON COLUMN ibkeeper.line_state.cause IS 'ticking, or why it is silent: quiet, halted, closed; or out: dead_line, farm, link, competing_session.';
COMMENT ON COLUMN ibkeeper.line_state.since IS 'Since when that is so.';
COMMENT ON COLUMN ibkeeper.line_state.last_event_at IS 'When it spoke last, to the second; NULL: never since the sidecar started.';
COMMENT ON COLUMN ibkeeper.line_state.rate_per_min IS 'Seconds of a minute in which it usually speaks; NULL: not known yet.';
COMMENT ON COLUMN ibkeeper.line_state.expected_s IS 'A longer silence means something, s; NULL: none does.';
COMMENT ON COLUMN ibkeeper.line_state.noted_at IS 'When this was written.';

CREATE TABLE ibkeeper.line_cure (
    id uuid NOT NULL,
    sidecar text NOT NULL,
    epoch int NOT NULL,
    instrument_id int,
    provider text NOT NULL,
    cause text NOT NULL,
    cure text NOT NULL,
    state text NOT NULL,
    begun_at timestamptz NOT NULL,
    ended_at timestamptz,
    reason text,
    PRIMARY KEY (id),
    FOREIGN KEY(instrument_id) REFERENCES ibkeeper.instrument (id),
    CONSTRAINT line_cure_provider_known CHECK (provider IN ('ib', 'standby', 'alpaca')),
    CONSTRAINT line_cure_cause_known CHECK (cause IN (
        'ticking', 'quiet', 'halted', 'closed', 'dead_line', 'farm', 'link', 'competing_session'
    )),
    CONSTRAINT line_cure_cure_known CHECK (cure IN ('re_request', 'reconnect', 'fail_over')),
    CONSTRAINT line_cure_state_known CHECK (state IN ('running', 'cured', 'failed', 'overtaken')),
    CONSTRAINT line_cure_reconnect_is_of_all CHECK ((cure = 'reconnect') = (instrument_id IS NULL)),
    CONSTRAINT line_cure_ended CHECK ((state = 'running') = (ended_at IS NULL)),
    CONSTRAINT line_cure_ended_after_begun CHECK (ended_at >= begun_at)
);
CREATE INDEX line_cure_begun_at_idx ON ibkeeper.line_cure (begun_at);
CREATE INDEX line_cure_instrument_id_begun_at_idx ON ibkeeper.line_cure (instrument_id, begun_at);
COMMENT ON TABLE ibkeeper.line_cure IS 'What was done about lines that were out, and what came of it.';
COMMENT ON COLUMN ibkeeper.line_cure.id IS 'Given by the sidecar.';
COMMENT ON COLUMN ibkeeper.line_cure.sidecar IS 'Sidecar that did it.';
COMMENT ON COLUMN ibkeeper.line_cure.epoch IS 'Start of the sidecar.';
COMMENT ON COLUMN ibkeeper.line_cure.instrument_id IS 'Whose line; NULL: a reconnect, which is of all.';
COMMENT ON COLUMN ibkeeper.line_cure.provider IS 'Whose line was out: ib, standby or alpaca.';
COMMENT ON COLUMN ibkeeper.line_cure.cause IS 'What was found: dead_line, farm, link or competing_session.';
COMMENT ON COLUMN ibkeeper.line_cure.cure IS 're_request, reconnect or fail_over.';
COMMENT ON COLUMN ibkeeper.line_cure.state IS 'running, cured (the line spoke), failed, or overtaken by the loss of the session.';
COMMENT ON COLUMN ibkeeper.line_cure.begun_at IS 'When it was begun.';
COMMENT ON COLUMN ibkeeper.line_cure.ended_at IS 'When it was known what came of it; NULL: it is running.';
COMMENT ON COLUMN ibkeeper.line_cure.reason IS 'Why, for a person.';

INSERT INTO ibkeeper.state_transition (machine, old_state, new_state) VALUES
    ('line_cure', 'running', 'cured'),
    ('line_cure', 'running', 'failed'),
    ('line_cure', 'running', 'overtaken'),
    ('link', 'up', 'suspect'),
    ('link', 'up', 'lost'),
    ('link', 'suspect', 'up'),
    ('link', 'suspect', 'lost'),
    ('link', 'lost', 'suspect'),
    ('link', 'lost', 'up');
COMMENT ON COLUMN ibkeeper.state_transition.machine IS 'session, link, request, watch, order_intent, alert or line_cure.';

CREATE TRIGGER line_cure_state BEFORE UPDATE OF state ON ibkeeper.line_cure
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION ibkeeper.guard_state('line_cure');

ALTER TABLE ibkeeper.session ADD COLUMN link text DEFAULT 'up' NOT NULL;
ALTER TABLE ibkeeper.session ADD CONSTRAINT session_link_known CHECK (
    link IN ('up', 'suspect', 'lost')
);
COMMENT ON COLUMN ibkeeper.session.link IS 'What the gateway says of its link to IB: up, suspect (back, or a farm is: lines are verified), lost.';

CREATE FUNCTION ibkeeper.guard_link() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM ibkeeper.check_transition('link', OLD.link, NEW.link);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION ibkeeper.guard_link IS 'Trigger: the link may only take listed steps.';

CREATE TRIGGER session_link BEFORE UPDATE OF link ON ibkeeper.session
    FOR EACH ROW WHEN (OLD.link IS DISTINCT FROM NEW.link)
    EXECUTE FUNCTION ibkeeper.guard_link();
