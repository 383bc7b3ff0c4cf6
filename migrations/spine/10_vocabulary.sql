-- The steps that the state machines may take, and the guards that the tables share.

CREATE SEQUENCE ibkeeper.epoch_seq AS int;
COMMENT ON SEQUENCE ibkeeper.epoch_seq IS 'One number for every start of any sidecar.';

CREATE TABLE ibkeeper.state_transition (
    machine text NOT NULL,
    old_state text NOT NULL,
    new_state text NOT NULL,
    PRIMARY KEY (machine, old_state, new_state)
);
COMMENT ON TABLE ibkeeper.state_transition IS 'Steps that the state machines may take; read by the triggers.';
COMMENT ON COLUMN ibkeeper.state_transition.machine IS 'session, request or watch.';
COMMENT ON COLUMN ibkeeper.state_transition.old_state IS 'State before.';
COMMENT ON COLUMN ibkeeper.state_transition.new_state IS 'State after.';

INSERT INTO ibkeeper.state_transition (machine, old_state, new_state) VALUES
    ('session', 'waiting', 'connecting'),
    ('session', 'waiting', 'stopped'),
    ('session', 'connecting', 'ready'),
    ('session', 'connecting', 'waiting'),
    ('session', 'connecting', 'stopped'),
    ('session', 'ready', 'waiting'),
    ('session', 'ready', 'stopped'),
    ('request', 'requested', 'claimed'),
    ('request', 'requested', 'expired'),
    ('request', 'claimed', 'completed'),
    ('request', 'claimed', 'failed'),
    ('request', 'claimed', 'expired'),
    ('watch', 'pending', 'active'),
    ('watch', 'pending', 'failed'),
    ('watch', 'pending', 'over_budget'),
    ('watch', 'active', 'pending'),
    ('watch', 'active', 'failed'),
    ('watch', 'failed', 'pending'),
    ('watch', 'over_budget', 'pending');

-- Raise unless the machine may take the step.
CREATE FUNCTION ibkeeper.check_transition(a_machine text, an_old text, a_new text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM ibkeeper.state_transition
         WHERE machine = a_machine AND old_state = an_old AND new_state = a_new
    ) THEN
        RAISE EXCEPTION 'a % may not go from % to %', a_machine, an_old, a_new
            USING ERRCODE = 'check_violation', CONSTRAINT = a_machine || '_transition';
    END IF;
END $$;
COMMENT ON FUNCTION ibkeeper.check_transition IS 'Raises unless the machine may take the step.';

-- Trigger for UPDATE OF state; its argument is the machine.
CREATE FUNCTION ibkeeper.guard_state() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM ibkeeper.check_transition(TG_ARGV[0], OLD.state, NEW.state);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION ibkeeper.guard_state IS 'Trigger: the state may only take listed steps.';

-- Trigger for INSERT; its argument is the one state to begin with.
CREATE FUNCTION ibkeeper.guard_first_state() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'a row of % begins as %, not as %', TG_TABLE_NAME, TG_ARGV[0], NEW.state
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_first_state';
END $$;
COMMENT ON FUNCTION ibkeeper.guard_first_state IS 'Trigger: refuses a row in a later state.';

CREATE FUNCTION ibkeeper.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
END $$;
COMMENT ON FUNCTION ibkeeper.refuse_change IS 'Trigger: refuses UPDATE and DELETE.';
