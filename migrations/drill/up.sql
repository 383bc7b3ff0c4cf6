-- Failures made on purpose, and what they showed.

CREATE TABLE ibkeeper.drill (
    id uuid NOT NULL,
    sidecar text NOT NULL,
    scenario text NOT NULL,
    begun_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    verdict text NOT NULL,
    why text NOT NULL,
    detect_s float8,
    recover_s float8,
    objectives jsonb NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT drill_scenario_known CHECK (scenario IN ('drop', 'refuse', 'mute', 'alert')),
    CONSTRAINT drill_verdict_known CHECK (verdict IN ('passed', 'failed')),
    CONSTRAINT drill_failed_says_why CHECK ((verdict = 'failed') = (why <> '')),
    CONSTRAINT drill_ended_after_begun CHECK (ended_at >= begun_at)
);
CREATE INDEX drill_begun_at_idx ON ibkeeper.drill (begun_at);
COMMENT ON TABLE ibkeeper.drill IS 'Failures made on purpose, and how long it took to get over them; append-only.';
COMMENT ON COLUMN ibkeeper.drill.id IS 'Id of the request that asked for it.';
COMMENT ON COLUMN ibkeeper.drill.sidecar IS 'Name of the sidecar.';
COMMENT ON COLUMN ibkeeper.drill.scenario IS 'drop, refuse, mute or alert.';
COMMENT ON COLUMN ibkeeper.drill.begun_at IS 'When the fault began.';
COMMENT ON COLUMN ibkeeper.drill.ended_at IS 'When the drill was over.';
COMMENT ON COLUMN ibkeeper.drill.verdict IS 'passed or failed.';
COMMENT ON COLUMN ibkeeper.drill.why IS 'What was not kept, for a person; empty: everything was.';
COMMENT ON COLUMN ibkeeper.drill.detect_s IS 'From the fault to its notice, s; NULL: not noticed.';
COMMENT ON COLUMN ibkeeper.drill.recover_s IS 'From the end of the fault to the first tick, s; alert: to its arrival. NULL: never.';
COMMENT ON COLUMN ibkeeper.drill.objectives IS 'What was asked for, with its bounds.';

CREATE TABLE ibkeeper.drill_step (
    drill_id uuid NOT NULL REFERENCES ibkeeper.drill (id),
    number int NOT NULL,
    name text NOT NULL,
    at timestamptz NOT NULL,
    seconds float8 NOT NULL,
    PRIMARY KEY (drill_id, number),
    CONSTRAINT drill_step_after_begin CHECK (seconds >= 0)
);
COMMENT ON TABLE ibkeeper.drill_step IS 'The moments of drills, in order; append-only.';
COMMENT ON COLUMN ibkeeper.drill_step.drill_id IS 'The drill.';
COMMENT ON COLUMN ibkeeper.drill_step.number IS 'Place in the order, from 1.';
COMMENT ON COLUMN ibkeeper.drill_step.name IS 'begun, noticed, released, ready, first tick, delivered.';
COMMENT ON COLUMN ibkeeper.drill_step.at IS 'When it happened.';
COMMENT ON COLUMN ibkeeper.drill_step.seconds IS 'Since the fault began, by the monotonic clock.';

CREATE TRIGGER drill_append_only BEFORE UPDATE OR DELETE ON ibkeeper.drill
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.refuse_change();
CREATE TRIGGER drill_step_append_only BEFORE UPDATE OR DELETE ON ibkeeper.drill_step
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.refuse_change();
