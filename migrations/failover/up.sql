-- Failover: which provider an instrument's rows are taken from, each change of it, and the
-- connection to the standby gateway.
ALTER TABLE ibkeeper.session DROP CONSTRAINT session_role_known;
ALTER TABLE ibkeeper.session ADD CONSTRAINT session_role_known
    CHECK (role IN ('stream', 'sweep', 'sweep2', 'orders', 'standby'));
COMMENT ON COLUMN ibkeeper.session.role IS 'stream, sweep, sweep2, orders or standby.';
ALTER TABLE ibkeeper.session_event DROP CONSTRAINT session_event_role_known;
ALTER TABLE ibkeeper.session_event ADD CONSTRAINT session_event_role_known
    CHECK (role IN ('stream', 'sweep', 'sweep2', 'orders', 'standby'));
COMMENT ON COLUMN ibkeeper.session_event.role IS 'stream, sweep, sweep2, orders or standby.';

CREATE TABLE ibkeeper.provider_switch (
    sidecar text NOT NULL,
    epoch int NOT NULL,
    number int NOT NULL,
    instrument_id int NOT NULL REFERENCES ibkeeper.instrument (id),
    at timestamptz NOT NULL,
    from_provider text NOT NULL,
    to_provider text NOT NULL,
    cause text NOT NULL,
    stale_s float8,
    PRIMARY KEY (sidecar, epoch, number, instrument_id),
    CONSTRAINT provider_switch_from_provider_known
        CHECK (from_provider IN ('ib', 'standby', 'alpaca')),
    CONSTRAINT provider_switch_to_provider_known CHECK (to_provider IN ('ib', 'standby', 'alpaca')),
    CONSTRAINT provider_switch_cause_known
        CHECK (cause IN ('stale', 'retries', 'competing_session', 'uncured', 'recovered')),
    CONSTRAINT provider_switch_goes_somewhere CHECK (from_provider <> to_provider),
    CONSTRAINT provider_switch_stale_is_a_time CHECK (stale_s >= 0)
);
CREATE INDEX provider_switch_at_idx ON ibkeeper.provider_switch (at);
CREATE INDEX provider_switch_instrument_id_at_idx
    ON ibkeeper.provider_switch (instrument_id, at);
COMMENT ON TABLE ibkeeper.provider_switch IS 'Each time an instrument went from one provider to another; append-only.';
COMMENT ON COLUMN ibkeeper.provider_switch.sidecar IS 'Name of the sidecar.';
COMMENT ON COLUMN ibkeeper.provider_switch.epoch IS 'Start of the sidecar; each begins at the primary.';
COMMENT ON COLUMN ibkeeper.provider_switch.number IS 'Counted from 1 within an epoch; what went together has one.';
COMMENT ON COLUMN ibkeeper.provider_switch.instrument_id IS 'What was switched.';
COMMENT ON COLUMN ibkeeper.provider_switch.at IS 'When; rows received later are of to_provider only.';
COMMENT ON COLUMN ibkeeper.provider_switch.from_provider IS 'ib, standby or alpaca.';
COMMENT ON COLUMN ibkeeper.provider_switch.to_provider IS 'ib, standby or alpaca.';
COMMENT ON COLUMN ibkeeper.provider_switch.cause IS 'stale, retries, competing_session, uncured or recovered.';
COMMENT ON COLUMN ibkeeper.provider_switch.stale_s IS 'How long from_provider had been silent, s; NULL: it never spoke.';
CREATE TRIGGER provider_switch_append_only BEFORE UPDATE OR DELETE ON ibkeeper.provider_switch
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.refuse_change();

CREATE VIEW ibkeeper.v_provider AS
SELECT s.name AS sidecar, w.instrument_id, w.symbol, coalesce(last.to_provider, 'ib') AS provider,
       last.at AS since, last.cause
  FROM ibkeeper.sidecar s
  JOIN ibkeeper.watch w ON w.sidecar = s.name AND w.instrument_id IS NOT NULL
  LEFT JOIN LATERAL (
       SELECT p.to_provider, p.at, p.cause FROM ibkeeper.provider_switch p
        WHERE p.sidecar = s.name AND p.epoch = s.epoch AND p.instrument_id = w.instrument_id
        ORDER BY p.number DESC LIMIT 1) AS last ON true;
COMMENT ON VIEW ibkeeper.v_provider IS 'Who each watched instrument is taken from now, since when and why.';
