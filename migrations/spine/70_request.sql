-- What the sidecar is asked to do.

CREATE TABLE ibkeeper.request (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    kind text NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    state text DEFAULT 'requested' NOT NULL,
    sidecar text,
    requested_by text,
    requested_at timestamptz DEFAULT now() NOT NULL,
    deadline_at timestamptz NOT NULL,
    claimed_by text,
    claimed_epoch int,
    claimed_at timestamptz,
    finished_at timestamptz,
    progress_done int DEFAULT 0 NOT NULL,
    progress_total int,
    result jsonb,
    error text,
    error_kind text,
    PRIMARY KEY (id),
    CONSTRAINT request_state_known CHECK (
        state IN ('requested', 'claimed', 'completed', 'failed', 'expired')
    ),
    CONSTRAINT request_finished_is_terminal CHECK (
        (state IN ('completed', 'failed', 'expired')) = (finished_at IS NOT NULL)
    ),
    CONSTRAINT request_claimed_by_somebody CHECK (
        state <> 'claimed' OR (claimed_by IS NOT NULL
        AND claimed_at IS NOT NULL)
    ),
    CONSTRAINT request_failed_says_why CHECK (state <> 'failed' OR error IS NOT NULL),
    CONSTRAINT request_progress_within_total CHECK (
        progress_done >= 0 AND progress_done <= progress_total
    ),
    CONSTRAINT request_kind_given CHECK (kind <> '')
);
CREATE INDEX request_open_idx ON ibkeeper.request (requested_at) WHERE state IN ('requested', 'claimed');
COMMENT ON TABLE ibkeeper.request IS 'What flows and operators ask the sidecar to do. New ones are notified.';
COMMENT ON COLUMN ibkeeper.request.id IS 'Id of the request.';
COMMENT ON COLUMN ibkeeper.request.kind IS 'What is asked: chain_snapshot, …';
COMMENT ON COLUMN ibkeeper.request.payload IS 'Parameters of the kind.';
COMMENT ON COLUMN ibkeeper.request.state IS 'requested, claimed, completed, failed or expired.';
COMMENT ON COLUMN ibkeeper.request.sidecar IS 'Sidecar that shall do it; NULL: any.';
COMMENT ON COLUMN ibkeeper.request.requested_by IS 'Who asks: flow run or person.';
COMMENT ON COLUMN ibkeeper.request.requested_at IS 'When it was asked.';
COMMENT ON COLUMN ibkeeper.request.deadline_at IS 'When the answer is worth nothing any more.';
COMMENT ON COLUMN ibkeeper.request.claimed_by IS 'Sidecar that does it.';
COMMENT ON COLUMN ibkeeper.request.claimed_epoch IS 'Start of that sidecar.';
COMMENT ON COLUMN ibkeeper.request.claimed_at IS 'When it was claimed.';
COMMENT ON COLUMN ibkeeper.request.finished_at IS 'When it reached its terminal state.';
COMMENT ON COLUMN ibkeeper.request.progress_done IS 'Units done.';
COMMENT ON COLUMN ibkeeper.request.progress_total IS 'Units in all; NULL: not known yet.';
COMMENT ON COLUMN ibkeeper.request.result IS 'Answer of the kind.';
COMMENT ON COLUMN ibkeeper.request.error IS 'What went wrong, one line for a person.';
COMMENT ON COLUMN ibkeeper.request.error_kind IS 'Name of the error class.';

CREATE TRIGGER request_first_state BEFORE INSERT ON ibkeeper.request
    FOR EACH ROW WHEN (NEW.state <> 'requested')
    EXECUTE FUNCTION ibkeeper.guard_first_state('requested');

CREATE TRIGGER request_state BEFORE UPDATE OF state ON ibkeeper.request
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION ibkeeper.guard_state('request');

-- Its argument is the channel; the payload is the id of the request.
CREATE FUNCTION ibkeeper.notify_request() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], NEW.id::text);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION ibkeeper.notify_request IS 'Trigger: says which request is new or has moved.';

CREATE TRIGGER request_new AFTER INSERT ON ibkeeper.request
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.notify_request('ibkeeper_request');

CREATE TRIGGER request_moved AFTER UPDATE OF state, progress_done, progress_total
    ON ibkeeper.request
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.notify_request('ibkeeper_request_done');
