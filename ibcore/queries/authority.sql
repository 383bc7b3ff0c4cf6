-- Limits, kill switch, arming: the newest row of each counts. Written as ibcore/queries.sql says.

-- limit_set --
-- NULL: not set any more. `before` and the number are given by the table.
INSERT INTO ibkeeper.risk_limit (account, name, value, set_by, reason)
VALUES (%(account)s, %(name)s, %(value)s, %(set_by)s, %(reason)s)
RETURNING id, before;

-- limits_now --
-- What is set, everybody's first.
SELECT account, name, value, at, set_by, reason FROM ibkeeper.v_risk_limit
 ORDER BY account, name;

-- limits_history --
-- The audit trail, the newest first.
SELECT at, account, name, before, value, set_by, reason FROM ibkeeper.risk_limit
 ORDER BY id DESC LIMIT %(limit)s;

-- kill_switch_note --
-- Its trigger numbers it after all that are committed, and tells the sidecars.
INSERT INTO ibkeeper.kill_switch (engaged, source, sidecar, set_by, reason)
VALUES (%(engaged)s, %(source)s, %(sidecar)s, %(set_by)s, %(reason)s)
RETURNING id;

-- kill_switch_history --
-- The newest first: that one counts.
SELECT id, at, engaged, source, sidecar, set_by, reason FROM ibkeeper.kill_switch
 ORDER BY id DESC LIMIT %(limit)s;

-- arming_note --
-- The end is counted by the database's clock, as is its check.
INSERT INTO ibkeeper.arming (at, account, armed_until, set_by, reason)
SELECT t.now, %(account)s, t.now + make_interval(secs => %(for_s)s), %(set_by)s, %(reason)s
  FROM clock_timestamp() AS t(now)
RETURNING armed_until;

-- armings_now --
-- The newest row of each account, and whether it still holds.
SELECT DISTINCT ON (account) account, armed_until, set_by, reason, at,
       armed_until > clock_timestamp() AS armed
  FROM ibkeeper.arming
 ORDER BY account, id DESC;

-- account_state_note --
-- What IB last said.
INSERT INTO ibkeeper.account_state AS s
       (account, sidecar, at, daily_pnl, unrealized_pnl, realized_pnl)
VALUES (%(account)s, %(sidecar)s, clock_timestamp(), %(daily_pnl)s, %(unrealized_pnl)s,
        %(realized_pnl)s)
    ON CONFLICT (account) DO UPDATE SET
       sidecar = excluded.sidecar, at = excluded.at, daily_pnl = excluded.daily_pnl,
       unrealized_pnl = excluded.unrealized_pnl, realized_pnl = excluded.realized_pnl;

-- audit_risk_limit --
-- What the chain hashes of each row, spelled here again: the database's own functions are not asked.
SELECT id, previous_hash, row_hash,
       jsonb_build_array('risk_limit', previous_hash, id,
           to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           account, name, value, before, set_by, reason)::text AS said
  FROM ibkeeper.risk_limit ORDER BY id;

-- audit_kill_switch --
-- As above.
SELECT id, previous_hash, row_hash,
       jsonb_build_array('kill_switch', previous_hash, id,
           to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           engaged, source, sidecar, set_by, reason)::text AS said
  FROM ibkeeper.kill_switch ORDER BY id;

-- audit_arming --
-- As above.
SELECT id, previous_hash, row_hash,
       jsonb_build_array('arming', previous_hash, id,
           to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           account, to_char(armed_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           set_by, reason)::text AS said
  FROM ibkeeper.arming ORDER BY id;
