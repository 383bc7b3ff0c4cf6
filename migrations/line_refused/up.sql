-- A line that somebody wants and that does not stream is told to people, not only kept as a gap:
-- by a trigger, so that neither a crash nor a row that is taken off the list leaves it untrue.

CREATE FUNCTION ibkeeper.watch_incident() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    about text := format('line_refused:%s %s', OLD.sidecar, OLD.id);
    what text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM ibkeeper.close_incident(about, 'it was taken off the watch list');
        RETURN NULL;
    END IF;
    -- Pending is the way between two states: nothing is known yet.
    IF NEW.state = 'active' OR NEW.sidecar <> OLD.sidecar THEN
        PERFORM ibkeeper.close_incident(about, 'the line streams, or another sidecar has it');
    ELSIF NEW.state IN ('failed', 'over_budget') THEN
        what := concat_ws(' ', NEW.symbol, NEW.sec_type, nullif(NEW.expiry, ''),
                          nullif(NEW.strike, 0)::float8, nullif(NEW."right", ''), NEW.exchange);
        PERFORM ibkeeper.open_incident(
            about, 'line_refused', 'warning',
            format('%s is on the watch list and not streamed: %s. The other lines go on.', what,
                   coalesce(NEW.reason, NEW.state)),
            'sidecar ' || NEW.sidecar,
            jsonb_build_object('watch_id', NEW.id, 'state', NEW.state, 'reason', NEW.reason));
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION ibkeeper.watch_incident IS 'Opens and closes the incident of a line that is wanted and not streamed.';
CREATE TRIGGER watch_incident AFTER UPDATE OF state, sidecar OR DELETE ON ibkeeper.watch
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.watch_incident();
