-- What was held at the end of a report: the next report counts from there.

CREATE TABLE ibkeeper.position_baseline (
    account text NOT NULL,
    con_id bigint NOT NULL,
    symbol text NOT NULL,
    quantity numeric(24, 9) NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (account, con_id)
);
COMMENT ON TABLE ibkeeper.position_baseline IS 'What IB said was held at the last report of orders.';
COMMENT ON COLUMN ibkeeper.position_baseline.account IS 'Account.';
COMMENT ON COLUMN ibkeeper.position_baseline.con_id IS 'IB''s contract id.';
COMMENT ON COLUMN ibkeeper.position_baseline.symbol IS 'Symbol.';
COMMENT ON COLUMN ibkeeper.position_baseline.quantity IS 'Shares or contracts; below zero: short.';
COMMENT ON COLUMN ibkeeper.position_baseline.at IS 'When IB said so.';
