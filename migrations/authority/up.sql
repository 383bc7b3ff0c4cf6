-- Who may trade how much: limits, the kill switch, arming. Nothing here is ever changed: the newest
-- row counts, and those before it are the audit trail.

-- Writers queue until the one before has committed: the highest id is the last word, always.
CREATE FUNCTION ibkeeper.number_last_word() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ibkeeper.' || TG_TABLE_NAME, 0));
    EXECUTE format('SELECT coalesce(max(id), 0) + 1 FROM %s', TG_RELID::regclass) INTO NEW.id;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION ibkeeper.number_last_word IS 'Trigger: numbers rows in the order of their commits.';

CREATE FUNCTION ibkeeper.note_limit_before() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    NEW.before := (SELECT l.value FROM ibkeeper.risk_limit l
                    WHERE l.account = NEW.account AND l.name = NEW.name
                    ORDER BY l.id DESC LIMIT 1);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION ibkeeper.note_limit_before IS 'Trigger: notes what the limit was before.';

CREATE TABLE ibkeeper.risk_limit (
    id bigint NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    account text DEFAULT '*' NOT NULL,
    name text NOT NULL,
    value text,
    before text,
    set_by text NOT NULL,
    reason text DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT risk_limit_name_known CHECK (
        name IN ('allowed_accounts', 'allowed_instruments', 'denied_instruments', 'max_quantity',
                 'max_notional', 'price_collar_percent', 'max_working_orders', 'max_orders_per_s',
                 'max_orders_per_day', 'max_daily_loss', 'duplicate_window_s', 'max_position',
                 'max_quote_age_s', 'trading_hours', 'no_orders_between', 'margin_check',
                 'margin_timeout_s')
    ),
    CONSTRAINT risk_limit_number_is_one CHECK (
        name !~ '^max_|_percent$|_s$' OR value ~ '^[0-9]{1,15}(\.[0-9]{1,9})?$'
    ),
    CONSTRAINT risk_limit_by_somebody CHECK (btrim(set_by) <> ''),
    CONSTRAINT risk_limit_account_given CHECK (btrim(account) <> '')
);
CREATE INDEX risk_limit_account_name_id_idx ON ibkeeper.risk_limit (account, name, id DESC);
COMMENT ON TABLE ibkeeper.risk_limit IS 'Limits before the wire, and who changed them; the newest row of an account and name counts.';
COMMENT ON COLUMN ibkeeper.risk_limit.id IS 'Given by the database, in the order of the commits.';
COMMENT ON COLUMN ibkeeper.risk_limit.at IS 'When it was set.';
COMMENT ON COLUMN ibkeeper.risk_limit.account IS 'Account; *: every account that has no row of its own.';
COMMENT ON COLUMN ibkeeper.risk_limit.name IS 'Name of the limit; docs/orders.md says what each means.';
COMMENT ON COLUMN ibkeeper.risk_limit.value IS 'Value from now on; NULL: not set.';
COMMENT ON COLUMN ibkeeper.risk_limit.before IS 'Value until now; filled by the database.';
COMMENT ON COLUMN ibkeeper.risk_limit.set_by IS 'Who set it.';
COMMENT ON COLUMN ibkeeper.risk_limit.reason IS 'Why.';
-- In the order of their names: the number, which waits, comes first.
CREATE TRIGGER risk_limit_1_number BEFORE INSERT ON ibkeeper.risk_limit
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.number_last_word();
CREATE TRIGGER risk_limit_2_before BEFORE INSERT ON ibkeeper.risk_limit
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.note_limit_before();
CREATE TRIGGER risk_limit_append_only BEFORE UPDATE OR DELETE ON ibkeeper.risk_limit
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.guard_written_once();

CREATE VIEW ibkeeper.v_risk_limit AS
SELECT account, name, value, at, set_by, reason
  FROM (SELECT DISTINCT ON (account, name) * FROM ibkeeper.risk_limit
         ORDER BY account, name, id DESC) AS newest
 WHERE value IS NOT NULL;
COMMENT ON VIEW ibkeeper.v_risk_limit IS 'The limits that are set now.';
COMMENT ON COLUMN ibkeeper.v_risk_limit.account IS 'Account; *: every account without a row of its own.';
COMMENT ON COLUMN ibkeeper.v_risk_limit.name IS 'Name of the limit.';
COMMENT ON COLUMN ibkeeper.v_risk_limit.value IS 'Its value.';
COMMENT ON COLUMN ibkeeper.v_risk_limit.at IS 'When it was set.';
COMMENT ON COLUMN ibkeeper.v_risk_limit.set_by IS 'Who set it.';
COMMENT ON COLUMN ibkeeper.v_risk_limit.reason IS 'Why.';

CREATE TABLE ibkeeper.kill_switch (
    id bigint NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    engaged boolean NOT NULL,
    source text DEFAULT 'row' NOT NULL,
    sidecar text,
    set_by text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT kill_switch_source_known CHECK (source IN ('row', 'file', 'signal')),
    CONSTRAINT kill_switch_by_somebody CHECK (btrim(set_by) <> ''),
    CONSTRAINT kill_switch_says_why CHECK (btrim(reason) <> ''),
    CONSTRAINT kill_switch_lifted_by_row CHECK (engaged OR source = 'row')
);
COMMENT ON TABLE ibkeeper.kill_switch IS 'Stops and their lifting; the newest row counts. No row: off.';
COMMENT ON COLUMN ibkeeper.kill_switch.id IS 'Given by the database, in the order of the commits.';
COMMENT ON COLUMN ibkeeper.kill_switch.at IS 'When it was said.';
COMMENT ON COLUMN ibkeeper.kill_switch.engaged IS 'True: nothing is sent and everything is cancelled.';
COMMENT ON COLUMN ibkeeper.kill_switch.source IS 'row, file or signal: what tripped it.';
COMMENT ON COLUMN ibkeeper.kill_switch.sidecar IS 'Sidecar whose file or signal it was.';
COMMENT ON COLUMN ibkeeper.kill_switch.set_by IS 'Person, or what tripped it.';
COMMENT ON COLUMN ibkeeper.kill_switch.reason IS 'Why.';
CREATE TRIGGER kill_switch_number BEFORE INSERT ON ibkeeper.kill_switch
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.number_last_word();
CREATE TRIGGER kill_switch_append_only BEFORE UPDATE OR DELETE ON ibkeeper.kill_switch
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.guard_written_once();

CREATE FUNCTION ibkeeper.notify_kill_switch() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('ibkeeper_kill_switch', NEW.engaged::text);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION ibkeeper.notify_kill_switch IS 'Trigger: says that the kill switch was moved.';
CREATE TRIGGER kill_switch_moved AFTER INSERT ON ibkeeper.kill_switch
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.notify_kill_switch();

CREATE TABLE ibkeeper.arming (
    id bigint NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    account text NOT NULL,
    armed_until timestamptz NOT NULL,
    set_by text NOT NULL,
    reason text DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT arming_expires_within_a_day CHECK (armed_until <= at + interval '24 hours'),
    CONSTRAINT arming_by_somebody CHECK (btrim(set_by) <> ''),
    CONSTRAINT arming_account_given CHECK (btrim(account) <> '')
);
CREATE INDEX arming_account_id_idx ON ibkeeper.arming (account, id DESC);
COMMENT ON TABLE ibkeeper.arming IS 'Until when a live account may trade; the newest row of an account counts.';
COMMENT ON COLUMN ibkeeper.arming.id IS 'Given by the database, in the order of the commits.';
COMMENT ON COLUMN ibkeeper.arming.at IS 'When it was said.';
COMMENT ON COLUMN ibkeeper.arming.account IS 'The live account.';
COMMENT ON COLUMN ibkeeper.arming.armed_until IS 'When it ends by itself, at most a day later; now or before: disarmed.';
COMMENT ON COLUMN ibkeeper.arming.set_by IS 'Who armed it.';
COMMENT ON COLUMN ibkeeper.arming.reason IS 'Why.';
CREATE TRIGGER arming_number BEFORE INSERT ON ibkeeper.arming
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.number_last_word();
CREATE TRIGGER arming_append_only BEFORE UPDATE OR DELETE ON ibkeeper.arming
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.guard_written_once();

CREATE TABLE ibkeeper.account_state (
    account text NOT NULL,
    sidecar text NOT NULL,
    at timestamptz NOT NULL,
    daily_pnl numeric(18, 4),
    unrealized_pnl numeric(18, 4),
    realized_pnl numeric(18, 4),
    PRIMARY KEY (account)
);
COMMENT ON TABLE ibkeeper.account_state IS 'What IB last said of each account of the gateway; risk and people read it.';
COMMENT ON COLUMN ibkeeper.account_state.account IS 'Account.';
COMMENT ON COLUMN ibkeeper.account_state.sidecar IS 'Sidecar whose gateway has it.';
COMMENT ON COLUMN ibkeeper.account_state.at IS 'When it was last heard of.';
COMMENT ON COLUMN ibkeeper.account_state.daily_pnl IS 'Profit and loss of the day, in the currency of the account; NULL: IB has not said.';
COMMENT ON COLUMN ibkeeper.account_state.unrealized_pnl IS 'Of open positions.';
COMMENT ON COLUMN ibkeeper.account_state.realized_pnl IS 'Of what was closed today.';
