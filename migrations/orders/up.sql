-- Orders: intents before IB hears of them, evidence, executions.

INSERT INTO ibkeeper.state_transition (machine, old_state, new_state) VALUES
    ('order_intent', 'intent', 'refused'),
    ('order_intent', 'intent', 'submitting'),
    ('order_intent', 'intent', 'cancelled'),
    ('order_intent', 'intent', 'expired'),
    ('order_intent', 'submitting', 'sent'),
    ('order_intent', 'submitting', 'acked'),
    ('order_intent', 'submitting', 'partial'),
    ('order_intent', 'submitting', 'filled'),
    ('order_intent', 'submitting', 'cancelled'),
    ('order_intent', 'submitting', 'rejected'),
    ('order_intent', 'submitting', 'expired'),
    ('order_intent', 'submitting', 'not_sent'),
    ('order_intent', 'submitting', 'done'),
    ('order_intent', 'submitting', 'unknown'),
    ('order_intent', 'sent', 'acked'),
    ('order_intent', 'sent', 'partial'),
    ('order_intent', 'sent', 'filled'),
    ('order_intent', 'sent', 'cancelled'),
    ('order_intent', 'sent', 'rejected'),
    ('order_intent', 'sent', 'expired'),
    ('order_intent', 'sent', 'not_sent'),
    ('order_intent', 'sent', 'done'),
    ('order_intent', 'sent', 'unknown'),
    ('order_intent', 'acked', 'partial'),
    ('order_intent', 'acked', 'filled'),
    ('order_intent', 'acked', 'cancelled'),
    ('order_intent', 'acked', 'rejected'),
    ('order_intent', 'acked', 'expired'),
    ('order_intent', 'acked', 'unknown'),
    ('order_intent', 'partial', 'filled'),
    ('order_intent', 'partial', 'cancelled'),
    ('order_intent', 'partial', 'rejected'),
    ('order_intent', 'partial', 'expired'),
    ('order_intent', 'partial', 'unknown'),
    ('order_intent', 'cancelled', 'partial'),
    ('order_intent', 'cancelled', 'filled'),
    ('order_intent', 'rejected', 'partial'),
    ('order_intent', 'rejected', 'filled'),
    ('order_intent', 'expired', 'partial'),
    ('order_intent', 'expired', 'filled'),
    ('order_intent', 'not_sent', 'acked'),
    ('order_intent', 'not_sent', 'partial'),
    ('order_intent', 'not_sent', 'filled'),
    ('order_intent', 'unknown', 'acked'),
    ('order_intent', 'unknown', 'partial'),
    ('order_intent', 'unknown', 'filled'),
    ('order_intent', 'unknown', 'cancelled'),
    ('order_intent', 'unknown', 'rejected'),
    ('order_intent', 'unknown', 'expired'),
    ('order_intent', 'unknown', 'not_sent'),
    ('order_intent', 'unknown', 'done');

CREATE TABLE ibkeeper.order_batch (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    key text NOT NULL,
    body_hash text NOT NULL,
    submitted_by text NOT NULL,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    approved_by text,
    PRIMARY KEY (id),
    CONSTRAINT order_batch_key_key UNIQUE (key),
    CONSTRAINT order_batch_key_given CHECK (key ~ '^[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,119}$')
);
COMMENT ON TABLE ibkeeper.order_batch IS 'Batches of orders; one key is one batch, however often it is submitted.';
COMMENT ON COLUMN ibkeeper.order_batch.id IS 'Id of the batch.';
COMMENT ON COLUMN ibkeeper.order_batch.key IS 'Name given by whoever submits: the same key again is the same batch.';
COMMENT ON COLUMN ibkeeper.order_batch.body_hash IS 'Hash of the lines: the same key with another body is a conflict.';
COMMENT ON COLUMN ibkeeper.order_batch.submitted_by IS 'Person, flow run or command.';
COMMENT ON COLUMN ibkeeper.order_batch.created_at IS 'When it was submitted.';
COMMENT ON COLUMN ibkeeper.order_batch.approved_by IS 'Who approved a live batch, as they typed it.';

CREATE TABLE ibkeeper.order_intent (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    batch_id uuid NOT NULL,
    line int NOT NULL,
    kind text DEFAULT 'new' NOT NULL,
    target_id uuid,
    parent_id uuid,
    account text NOT NULL,
    instrument_id int,
    legs jsonb,
    symbol text NOT NULL,
    sec_type text NOT NULL,
    exchange text DEFAULT 'SMART' NOT NULL,
    currency text DEFAULT 'USD' NOT NULL,
    side text NOT NULL,
    quantity numeric(24, 9) NOT NULL,
    order_type text NOT NULL,
    limit_price numeric(24, 9),
    stop_price numeric(24, 9),
    trail_amount numeric(24, 9),
    trail_percent numeric(24, 9),
    tif text NOT NULL,
    outside_rth boolean DEFAULT false NOT NULL,
    oca_group text,
    algo text,
    algo_params jsonb,
    not_before timestamptz,
    not_after timestamptz NOT NULL,
    mid_at_intent double precision,
    created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    state text DEFAULT 'intent' NOT NULL,
    reason text,
    state_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    sidecar text,
    epoch int,
    client_id int,
    order_id bigint,
    order_ref text,
    perm_id bigint,
    submitting_at timestamptz,
    sent_at timestamptz,
    filled numeric(24, 9) DEFAULT 0 NOT NULL,
    average_price numeric(24, 9),
    PRIMARY KEY (id),
    CONSTRAINT order_intent_batch_id_line_key UNIQUE (batch_id, line),
    CONSTRAINT order_intent_client_id_order_id_kind_known CHECK (
        kind <> 'new' OR (order_id IS NULL) = (order_ref IS NULL)
    ),
    CONSTRAINT order_intent_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES ibkeeper.order_batch (id),
    CONSTRAINT order_intent_target_id_fkey FOREIGN KEY (target_id) REFERENCES ibkeeper.order_intent (id),
    CONSTRAINT order_intent_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES ibkeeper.order_intent (id),
    CONSTRAINT order_intent_instrument_id_fkey FOREIGN KEY (instrument_id) REFERENCES ibkeeper.instrument (id),
    CONSTRAINT order_intent_state_known CHECK (
        state IN ('intent', 'refused', 'submitting', 'sent', 'acked', 'partial', 'filled', 'cancelled', 'rejected', 'expired', 'not_sent', 'done', 'unknown')
    ),
    CONSTRAINT order_intent_kind_known CHECK (kind IN ('new', 'modify', 'cancel')),
    CONSTRAINT order_intent_side_known CHECK (side IN ('BUY', 'SELL')),
    CONSTRAINT order_intent_quantity_positive CHECK (quantity > 0),
    CONSTRAINT order_intent_filled_not_negative CHECK (filled >= 0),
    CONSTRAINT order_intent_tif_given CHECK (tif <> ''),
    CONSTRAINT order_intent_target_of_a_change CHECK ((kind = 'new') = (target_id IS NULL)),
    CONSTRAINT order_intent_instrument_or_legs CHECK ((instrument_id IS NULL) = (legs IS NOT NULL)),
    CONSTRAINT order_intent_sent_with_a_fence CHECK (
        state IN ('intent', 'refused', 'expired', 'cancelled')
        OR (order_id IS NOT NULL AND epoch IS NOT NULL AND submitting_at IS NOT NULL)
    )
);
COMMENT ON TABLE ibkeeper.order_intent IS 'Orders, changes and cancels, committed before IB hears of them.';
COMMENT ON COLUMN ibkeeper.order_intent.id IS 'Id of the intent; order_ref carries it to IB.';
COMMENT ON COLUMN ibkeeper.order_intent.batch_id IS 'The batch.';
COMMENT ON COLUMN ibkeeper.order_intent.line IS 'Line of the batch, from 1; with the batch it is the idempotency key.';
COMMENT ON COLUMN ibkeeper.order_intent.kind IS 'new order, or modify or cancel of one.';
COMMENT ON COLUMN ibkeeper.order_intent.target_id IS 'The intent that is changed or cancelled.';
COMMENT ON COLUMN ibkeeper.order_intent.parent_id IS 'The intent whose fill brings this one to life (bracket).';
COMMENT ON COLUMN ibkeeper.order_intent.account IS 'Account that trades.';
COMMENT ON COLUMN ibkeeper.order_intent.instrument_id IS 'What is traded; NULL: a combination.';
COMMENT ON COLUMN ibkeeper.order_intent.legs IS 'Legs of a combination: con_id, ratio, action, exchange.';
COMMENT ON COLUMN ibkeeper.order_intent.symbol IS 'Symbol, for people and for combinations.';
COMMENT ON COLUMN ibkeeper.order_intent.sec_type IS 'Kind of contract, in the words of IB.';
COMMENT ON COLUMN ibkeeper.order_intent.exchange IS 'Where it is sent.';
COMMENT ON COLUMN ibkeeper.order_intent.currency IS 'Currency of its prices.';
COMMENT ON COLUMN ibkeeper.order_intent.side IS 'BUY or SELL.';
COMMENT ON COLUMN ibkeeper.order_intent.quantity IS 'Shares or contracts.';
COMMENT ON COLUMN ibkeeper.order_intent.order_type IS 'Type, in the words of IB.';
COMMENT ON COLUMN ibkeeper.order_intent.limit_price IS 'Limit price.';
COMMENT ON COLUMN ibkeeper.order_intent.stop_price IS 'Price that triggers; of TRAIL the first one, if given.';
COMMENT ON COLUMN ibkeeper.order_intent.trail_amount IS 'How far a trailing stop follows, in the currency.';
COMMENT ON COLUMN ibkeeper.order_intent.trail_percent IS 'How far a trailing stop follows, in percent.';
COMMENT ON COLUMN ibkeeper.order_intent.tif IS 'Time in force: always said.';
COMMENT ON COLUMN ibkeeper.order_intent.outside_rth IS 'May fill outside regular hours.';
COMMENT ON COLUMN ibkeeper.order_intent.oca_group IS 'One of the orders of this name cancels the others when it fills.';
COMMENT ON COLUMN ibkeeper.order_intent.algo IS 'Algorithm of IB, such as Adaptive.';
COMMENT ON COLUMN ibkeeper.order_intent.algo_params IS 'Its parameters.';
COMMENT ON COLUMN ibkeeper.order_intent.not_before IS 'Not sent before this.';
COMMENT ON COLUMN ibkeeper.order_intent.not_after IS 'Not sent after this: it expires.';
COMMENT ON COLUMN ibkeeper.order_intent.mid_at_intent IS 'Mid price when it was submitted; slippage is against this.';
COMMENT ON COLUMN ibkeeper.order_intent.created_at IS 'When it was submitted.';
COMMENT ON COLUMN ibkeeper.order_intent.state IS 'What is known of it; docs/states.md.';
COMMENT ON COLUMN ibkeeper.order_intent.reason IS 'Why, one line for a person.';
COMMENT ON COLUMN ibkeeper.order_intent.state_at IS 'Since when.';
COMMENT ON COLUMN ibkeeper.order_intent.sidecar IS 'Sidecar that sent it.';
COMMENT ON COLUMN ibkeeper.order_intent.epoch IS 'Start of that sidecar: the fence.';
COMMENT ON COLUMN ibkeeper.order_intent.client_id IS 'API client id.';
COMMENT ON COLUMN ibkeeper.order_intent.order_id IS 'Order id at IB, committed before the first byte.';
COMMENT ON COLUMN ibkeeper.order_intent.order_ref IS 'What IB echoes everywhere.';
COMMENT ON COLUMN ibkeeper.order_intent.perm_id IS 'IB''s permanent id.';
COMMENT ON COLUMN ibkeeper.order_intent.submitting_at IS 'When id and reference were committed.';
COMMENT ON COLUMN ibkeeper.order_intent.sent_at IS 'When the frame was handed to the transport.';
COMMENT ON COLUMN ibkeeper.order_intent.filled IS 'Executed, each execution once and as corrected.';
COMMENT ON COLUMN ibkeeper.order_intent.average_price IS 'Average price of that.';

CREATE INDEX order_intent_waiting_idx ON ibkeeper.order_intent (created_at, line) WHERE state = 'intent';
CREATE INDEX order_intent_working_idx ON ibkeeper.order_intent (account) WHERE state IN ('submitting', 'sent', 'acked', 'partial', 'unknown');
CREATE UNIQUE INDEX order_intent_client_id_order_id_idx ON ibkeeper.order_intent (client_id, order_id) WHERE kind = 'new' AND order_id IS NOT NULL;
CREATE UNIQUE INDEX order_intent_order_ref_idx ON ibkeeper.order_intent (order_ref) WHERE order_ref IS NOT NULL;
CREATE INDEX order_intent_submitting_at_idx ON ibkeeper.order_intent (account, submitting_at);

CREATE TRIGGER order_intent_first_state BEFORE INSERT ON ibkeeper.order_intent
    FOR EACH ROW WHEN (NEW.state <> 'intent')
    EXECUTE FUNCTION ibkeeper.guard_first_state('intent');
CREATE TRIGGER order_intent_state BEFORE UPDATE OF state ON ibkeeper.order_intent
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION ibkeeper.guard_state('order_intent');

-- What was asked for is never changed, and what went over the wire even less.
CREATE FUNCTION ibkeeper.guard_order_terms() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF (NEW.batch_id, NEW.line, NEW.kind, NEW.target_id, NEW.account, NEW.instrument_id, NEW.legs, NEW.side,
        NEW.quantity, NEW.order_type, NEW.limit_price, NEW.stop_price, NEW.trail_amount, NEW.trail_percent,
        NEW.tif)
       IS DISTINCT FROM
       (OLD.batch_id, OLD.line, OLD.kind, OLD.target_id, OLD.account, OLD.instrument_id, OLD.legs, OLD.side,
        OLD.quantity, OLD.order_type, OLD.limit_price, OLD.stop_price, OLD.trail_amount, OLD.trail_percent,
        OLD.tif)
       OR OLD.order_id IS NOT NULL AND (NEW.order_id, NEW.order_ref, NEW.client_id)
          IS DISTINCT FROM (OLD.order_id, OLD.order_ref, OLD.client_id)
    THEN
        RAISE EXCEPTION 'the terms of an order intent are final'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'order_intent_terms_final';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION ibkeeper.guard_order_terms IS 'Trigger: the terms and ids of an intent are final.';
CREATE TRIGGER order_intent_terms BEFORE UPDATE ON ibkeeper.order_intent
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.guard_order_terms();
CREATE TRIGGER order_intent_kept BEFORE DELETE ON ibkeeper.order_intent
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.guard_written_once();

CREATE FUNCTION ibkeeper.notify_order() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], '');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION ibkeeper.notify_order IS 'Trigger: says that there is something to send, or that something moved.';
CREATE TRIGGER order_intent_new AFTER INSERT ON ibkeeper.order_intent
    FOR EACH STATEMENT EXECUTE FUNCTION ibkeeper.notify_order('ibkeeper_order');
CREATE TRIGGER order_intent_moved AFTER UPDATE ON ibkeeper.order_intent
    FOR EACH STATEMENT EXECUTE FUNCTION ibkeeper.notify_order('ibkeeper_order_moved');

CREATE TABLE ibkeeper.order_event (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    at timestamptz NOT NULL,
    intent_id uuid,
    sidecar text,
    epoch int,
    kind text NOT NULL,
    order_id bigint,
    perm_id bigint,
    status text,
    code int,
    state text,
    detail text,
    raw jsonb,
    PRIMARY KEY (id),
    CONSTRAINT order_event_intent_id_fkey FOREIGN KEY (intent_id) REFERENCES ibkeeper.order_intent (id),
    CONSTRAINT order_event_kind_known CHECK (
        kind IN ('submitting', 'sent', 'not_sent', 'open', 'status', 'execution', 'commission', 'completed', 'error', 'absent', 'refused', 'expired', 'operator', 'external', 'doubled', 'rollback')
    )
);
COMMENT ON TABLE ibkeeper.order_event IS 'What was heard or done about orders; the state of an intent is its fold.';
COMMENT ON COLUMN ibkeeper.order_event.id IS 'Order of writing.';
COMMENT ON COLUMN ibkeeper.order_event.at IS 'When it was received, or done.';
COMMENT ON COLUMN ibkeeper.order_event.intent_id IS 'The intent; NULL: an order that is not ours.';
COMMENT ON COLUMN ibkeeper.order_event.sidecar IS 'Sidecar that heard it.';
COMMENT ON COLUMN ibkeeper.order_event.epoch IS 'Start of that sidecar.';
COMMENT ON COLUMN ibkeeper.order_event.kind IS 'Where the evidence comes from.';
COMMENT ON COLUMN ibkeeper.order_event.order_id IS 'Order id at IB.';
COMMENT ON COLUMN ibkeeper.order_event.perm_id IS 'IB''s permanent id.';
COMMENT ON COLUMN ibkeeper.order_event.status IS 'Status, in the words of IB.';
COMMENT ON COLUMN ibkeeper.order_event.code IS 'Code of an error message.';
COMMENT ON COLUMN ibkeeper.order_event.state IS 'State of the intent after it.';
COMMENT ON COLUMN ibkeeper.order_event.detail IS 'What it said, one line.';
COMMENT ON COLUMN ibkeeper.order_event.raw IS 'The fields as they came.';

CREATE INDEX order_event_intent_id_id_idx ON ibkeeper.order_event (intent_id, id);
CREATE TRIGGER order_event_append_only BEFORE UPDATE OR DELETE ON ibkeeper.order_event
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.guard_written_once();

CREATE TABLE ibkeeper.execution (
    exec_id text NOT NULL,
    base text NOT NULL,
    revision int NOT NULL,
    intent_id uuid,
    at timestamptz,
    account text NOT NULL,
    con_id bigint NOT NULL,
    symbol text,
    sec_type text,
    side text NOT NULL,
    quantity numeric(24, 9) NOT NULL,
    price numeric(24, 9) NOT NULL,
    exchange text,
    client_id int,
    order_id bigint,
    perm_id bigint,
    order_ref text,
    heard_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (exec_id),
    CONSTRAINT execution_intent_id_fkey FOREIGN KEY (intent_id) REFERENCES ibkeeper.order_intent (id),
    CONSTRAINT execution_side_known CHECK (side IN ('BUY', 'SELL'))
);
COMMENT ON TABLE ibkeeper.execution IS 'What was executed; a correction is a row of its own with a higher revision.';
COMMENT ON COLUMN ibkeeper.execution.exec_id IS 'IB''s id of the execution.';
COMMENT ON COLUMN ibkeeper.execution.base IS 'The id without its last part: corrections share it.';
COMMENT ON COLUMN ibkeeper.execution.revision IS 'Its last part: the highest counts.';
COMMENT ON COLUMN ibkeeper.execution.intent_id IS 'The intent; NULL: not ours.';
COMMENT ON COLUMN ibkeeper.execution.at IS 'When it was executed.';
COMMENT ON COLUMN ibkeeper.execution.account IS 'Account.';
COMMENT ON COLUMN ibkeeper.execution.con_id IS 'IB''s contract id; of a combination IB''s own.';
COMMENT ON COLUMN ibkeeper.execution.symbol IS 'Symbol.';
COMMENT ON COLUMN ibkeeper.execution.sec_type IS 'Kind of contract.';
COMMENT ON COLUMN ibkeeper.execution.side IS 'BUY or SELL.';
COMMENT ON COLUMN ibkeeper.execution.quantity IS 'Shares or contracts.';
COMMENT ON COLUMN ibkeeper.execution.price IS 'Price.';
COMMENT ON COLUMN ibkeeper.execution.exchange IS 'Where.';
COMMENT ON COLUMN ibkeeper.execution.client_id IS 'API client id of the order.';
COMMENT ON COLUMN ibkeeper.execution.order_id IS 'Order id at IB.';
COMMENT ON COLUMN ibkeeper.execution.perm_id IS 'IB''s permanent id.';
COMMENT ON COLUMN ibkeeper.execution.order_ref IS 'Reference of the order.';
COMMENT ON COLUMN ibkeeper.execution.heard_at IS 'When it was first heard of.';

CREATE INDEX execution_intent_id_idx ON ibkeeper.execution (intent_id);
CREATE TRIGGER execution_append_only BEFORE UPDATE OR DELETE ON ibkeeper.execution
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.guard_written_once();

CREATE TABLE ibkeeper.commission (
    exec_id text NOT NULL,
    commission numeric(24, 9),
    currency text,
    realized_pnl numeric(24, 9),
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (exec_id)
);
COMMENT ON TABLE ibkeeper.commission IS 'What an execution cost; it may be heard of before the execution.';
COMMENT ON COLUMN ibkeeper.commission.exec_id IS 'The execution.';
COMMENT ON COLUMN ibkeeper.commission.commission IS 'Commission.';
COMMENT ON COLUMN ibkeeper.commission.currency IS 'Its currency.';
COMMENT ON COLUMN ibkeeper.commission.realized_pnl IS 'Realized profit and loss; NULL: none.';
COMMENT ON COLUMN ibkeeper.commission.at IS 'When it was heard of.';

CREATE TABLE ibkeeper.position (
    account text NOT NULL,
    con_id bigint NOT NULL,
    symbol text NOT NULL,
    sec_type text NOT NULL,
    quantity numeric(24, 9) NOT NULL,
    average_cost double precision,
    sidecar text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (account, con_id)
);
COMMENT ON TABLE ibkeeper.position IS 'What IB says is held, as of the last reconciliation.';
COMMENT ON COLUMN ibkeeper.position.account IS 'Account.';
COMMENT ON COLUMN ibkeeper.position.con_id IS 'IB''s contract id.';
COMMENT ON COLUMN ibkeeper.position.symbol IS 'Symbol.';
COMMENT ON COLUMN ibkeeper.position.sec_type IS 'Kind of contract.';
COMMENT ON COLUMN ibkeeper.position.quantity IS 'Shares or contracts; below zero: short.';
COMMENT ON COLUMN ibkeeper.position.average_cost IS 'Average cost.';
COMMENT ON COLUMN ibkeeper.position.sidecar IS 'Sidecar that asked.';
COMMENT ON COLUMN ibkeeper.position.at IS 'When IB said so.';

CREATE TABLE ibkeeper.order_id_high (
    client_id int NOT NULL,
    order_id bigint NOT NULL,
    PRIMARY KEY (client_id)
);
COMMENT ON TABLE ibkeeper.order_id_high IS 'The highest order id given out, by client id; it never goes back.';
COMMENT ON COLUMN ibkeeper.order_id_high.client_id IS 'API client id.';
COMMENT ON COLUMN ibkeeper.order_id_high.order_id IS 'Highest order id ever given out: it never goes back.';

CREATE VIEW ibkeeper.v_execution AS
SELECT DISTINCT ON (base) *
  FROM ibkeeper.execution ORDER BY base, revision DESC;
COMMENT ON VIEW ibkeeper.v_execution IS 'Executions as corrected.';

CREATE VIEW ibkeeper.v_order AS
SELECT i.id, b.key AS batch, i.line, i.kind, i.target_id, i.account, i.symbol, i.sec_type, n.local_symbol, i.side,
       i.quantity, i.order_type, i.limit_price, i.stop_price, i.tif, i.state, i.reason, i.filled,
       i.average_price, c.commission, c.realized_pnl,
       CASE WHEN i.mid_at_intent IS NOT NULL AND i.average_price IS NOT NULL
            THEN (i.average_price::float8 - i.mid_at_intent) * CASE i.side WHEN 'BUY' THEN 1 ELSE -1 END END
           AS slippage,
       i.mid_at_intent, i.order_id, i.perm_id, i.order_ref, i.created_at, i.sent_at, i.state_at
  FROM ibkeeper.order_intent i
  JOIN ibkeeper.order_batch b ON b.id = i.batch_id
  LEFT JOIN ibkeeper.instrument n ON n.id = i.instrument_id
  LEFT JOIN LATERAL (
       SELECT sum(k.commission) AS commission, sum(k.realized_pnl) AS realized_pnl
         FROM ibkeeper.v_execution e JOIN ibkeeper.commission k ON k.exec_id = e.exec_id
        WHERE e.intent_id = i.id) AS c ON true;
COMMENT ON VIEW ibkeeper.v_order IS 'One row an intent: state, fills, commission, slippage per unit against the mid when it was submitted.';
