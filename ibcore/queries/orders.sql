-- Orders: claim, evidence, reconciliation. Written as ibcore/queries.sql says.

-- order_claim --
-- The next order, its children with it later. One sidecar an account: those its gateway manages.
-- Cancels go first, and go while everything else is stopped.
SELECT i.*, n.con_id, n.time_zone, n.trading_hours, n.liquid_hours, n.multiplier,
       EXISTS (SELECT FROM ibkeeper.order_intent c WHERE c.parent_id = i.id) AS has_children
  FROM ibkeeper.order_intent i
  LEFT JOIN ibkeeper.instrument n ON n.id = i.instrument_id
 WHERE i.state = 'intent' AND i.kind = ANY(%(kinds)s) AND i.account = ANY(%(accounts)s)
   AND i.parent_id IS NULL AND i.not_after > clock_timestamp()
   AND (i.not_before IS NULL OR i.not_before <= clock_timestamp())
 ORDER BY (i.kind = 'cancel') DESC, i.created_at, i.line
 LIMIT 1
   FOR UPDATE OF i SKIP LOCKED;

-- order_children --
-- They go with their parent or not at all.
SELECT i.*, n.con_id, n.time_zone, n.trading_hours, n.liquid_hours, n.multiplier
  FROM ibkeeper.order_intent i
  LEFT JOIN ibkeeper.instrument n ON n.id = i.instrument_id
 WHERE i.parent_id = %(id)s AND i.state = 'intent'
 ORDER BY i.line
   FOR UPDATE OF i;

-- order_submitting --
-- The fence: no row when another start took this sidecar's name over. Committed before the frame,
-- and the id with it: it is never given out again.
WITH reserved AS (
    INSERT INTO ibkeeper.order_id_high AS h (client_id, order_id)
    VALUES (%(client_id)s, %(order_id)s)
    ON CONFLICT (client_id) DO UPDATE SET order_id = greatest(h.order_id, excluded.order_id)
)
UPDATE ibkeeper.order_intent
   SET state = 'submitting', order_id = %(order_id)s, order_ref = %(order_ref)s,
       client_id = %(client_id)s, sidecar = %(sidecar)s, epoch = %(epoch)s,
       submitting_at = clock_timestamp(), state_at = clock_timestamp()
 WHERE id = %(id)s AND state = 'intent'
   AND EXISTS (SELECT FROM ibkeeper.sidecar s
                WHERE s.name = %(sidecar)s AND s.epoch = %(epoch)s)
RETURNING submitting_at;

-- order_refuse --
-- By risk, before anything was reserved.
UPDATE ibkeeper.order_intent
   SET state = %(state)s, reason = %(reason)s, state_at = clock_timestamp()
 WHERE id = %(id)s AND state = 'intent';

-- order_expire --
-- Too old to be sent: nobody waits for it any more.
UPDATE ibkeeper.order_intent
   SET state = 'expired', state_at = clock_timestamp(),
       reason = 'It was not sent in time: ' || coalesce(%(why)s, 'the sender was busy') || '.'
 WHERE state = 'intent' AND not_after <= clock_timestamp()
   AND (account = ANY(%(accounts)s) OR not_after <= clock_timestamp() - interval '1 minute')
RETURNING id;

-- order_refuse_all --
-- The kill switch is on: what waits is refused, cancels are not.
UPDATE ibkeeper.order_intent
   SET state = 'refused', state_at = clock_timestamp(), reason = %(reason)s
 WHERE state = 'intent' AND kind <> 'cancel' AND account = ANY(%(accounts)s)
RETURNING id;

-- order_id_reserve --
-- For a what-if, which has no row. Never goes back, whatever the gateway says its next id is.
INSERT INTO ibkeeper.order_id_high AS h (client_id, order_id) VALUES (%(client_id)s, %(order_id)s)
    ON CONFLICT (client_id) DO UPDATE SET order_id = greatest(h.order_id, excluded.order_id)
RETURNING order_id;

-- order_id_high --
-- What was ever given out.
SELECT coalesce(max(order_id), 0) AS order_id FROM ibkeeper.order_id_high
 WHERE client_id = %(client_id)s;

-- order_load --
-- What may still move, and what may still be heard of.
SELECT i.*, n.con_id, n.time_zone, n.trading_hours, n.liquid_hours, n.multiplier
  FROM ibkeeper.order_intent i
  LEFT JOIN ibkeeper.instrument n ON n.id = i.instrument_id
 WHERE i.client_id = %(client_id)s AND i.sidecar = %(sidecar)s AND i.order_id IS NOT NULL
   AND (i.state IN ('submitting', 'sent', 'acked', 'partial', 'unknown')
        OR i.submitting_at > clock_timestamp() - interval '2 days')
 ORDER BY i.submitting_at;

-- order_fills --
-- Of the intents that were loaded; legs of a combination are not fills of it.
SELECT e.intent_id, e.base, e.revision, e.quantity, e.price
  FROM ibkeeper.execution e JOIN ibkeeper.order_intent i ON i.id = e.intent_id
 WHERE e.intent_id = ANY(%(ids)s) AND (i.sec_type <> 'BAG' OR e.sec_type = 'BAG');

-- order_state --
-- One step; the trigger knows which ones there are.
UPDATE ibkeeper.order_intent
   SET state = coalesce(%(state)s::text, state), reason = coalesce(%(reason)s, reason),
       perm_id = %(perm_id)s, filled = %(filled)s, average_price = %(average_price)s,
       state_at = CASE WHEN %(state)s::text IS NULL THEN state_at ELSE clock_timestamp() END,
       sent_at = coalesce(sent_at, %(sent_at)s)
 WHERE id = %(id)s;

-- order_event_note --
-- Append-only.
INSERT INTO ibkeeper.order_event (at, intent_id, sidecar, epoch, kind, order_id, perm_id, status,
                                  code, state, detail, raw)
VALUES (%(at)s, %(intent_id)s, %(sidecar)s, %(epoch)s, %(kind)s, %(order_id)s, %(perm_id)s,
        %(status)s, %(code)s, %(state)s, %(detail)s, %(raw)s::jsonb);

-- execution_note --
-- By IB's id: heard of twice it is there once.
INSERT INTO ibkeeper.execution (exec_id, base, revision, intent_id, at, account, con_id, symbol,
                                sec_type, side, quantity, price, exchange, client_id, order_id,
                                perm_id, order_ref)
VALUES (%(exec_id)s, %(base)s, %(revision)s, %(intent_id)s, %(at)s, %(account)s, %(con_id)s,
        %(symbol)s, %(sec_type)s, %(side)s, %(quantity)s, %(price)s, %(exchange)s, %(client_id)s,
        %(order_id)s, %(perm_id)s, %(order_ref)s)
    ON CONFLICT (exec_id) DO NOTHING;

-- commission_note --
-- The newest word counts.
INSERT INTO ibkeeper.commission AS c (exec_id, commission, currency, realized_pnl)
VALUES (%(exec_id)s, %(commission)s, %(currency)s, %(realized_pnl)s)
    ON CONFLICT (exec_id) DO UPDATE SET commission = excluded.commission,
       currency = excluded.currency, realized_pnl = excluded.realized_pnl
 WHERE (c.commission, c.currency, c.realized_pnl)
       IS DISTINCT FROM (excluded.commission, excluded.currency, excluded.realized_pnl);

-- position_note --
-- What IB says is held.
INSERT INTO ibkeeper.position AS p (account, con_id, symbol, sec_type, quantity, average_cost,
                                    sidecar, at)
VALUES (%(account)s, %(con_id)s, %(symbol)s, %(sec_type)s, %(quantity)s, %(average_cost)s,
        %(sidecar)s, clock_timestamp())
    ON CONFLICT (account, con_id) DO UPDATE SET
       quantity = excluded.quantity, average_cost = excluded.average_cost,
       sidecar = excluded.sidecar, at = excluded.at, symbol = excluded.symbol;

-- position_forget --
-- After a full list: what it did not name is not held.
DELETE FROM ibkeeper.position
 WHERE account = ANY(%(accounts)s) AND at < %(before)s AND con_id <> ALL(%(con_ids)s);

-- order_risk_facts --
-- Everything that risk wants to know of one order, in one round trip and of one moment: what was
-- executed between two looks would be counted by neither. Numbers in JSON are text, to stay exact.
WITH open AS (
    SELECT o.*, o.kind = 'new' AND o.state IN
                ('submitting', 'sent', 'acked', 'partial', 'unknown') AS works,
           o.instrument_id IS NOT DISTINCT FROM %(instrument_id)s::int AND o.symbol = %(symbol)s
           AND o.legs IS NOT DISTINCT FROM %(legs)s::jsonb AS same
      FROM ibkeeper.order_intent o
     WHERE o.account = %(account)s AND (o.submitting_at >= %(day_begins)s
           OR o.state IN ('submitting', 'sent', 'acked', 'partial', 'unknown'))
), move AS (
    SELECT o.id, o.parent_id, o.oca_group, c.con_id, c.side,
           greatest(greatest(coalesce(m.done, o.quantity), m.asked) - o.filled, 0) * c.ratio
           AS quantity
      FROM open o
     -- As it was changed last, and as large as any change on its way may make it.
     CROSS JOIN LATERAL (
           SELECT (array_agg(t.quantity ORDER BY t.line DESC) FILTER (WHERE t.state = 'done'))[1]
                  AS done,
                  max(t.quantity) FILTER (WHERE t.state IN
                      ('submitting', 'sent', 'acked', 'partial', 'unknown')) AS asked
             FROM ibkeeper.order_intent t
            WHERE t.target_id = o.id AND t.kind = 'modify') AS m
     CROSS JOIN LATERAL (
           SELECT n.con_id, o.side, 1 AS ratio
             FROM ibkeeper.instrument n WHERE n.id = o.instrument_id
            UNION ALL
           SELECT (l.leg ->> 'con_id')::bigint,
                  CASE WHEN (l.leg ->> 'action' = 'BUY') = (o.side = 'BUY') THEN 'BUY' ELSE 'SELL' END,
                  (l.leg ->> 'ratio')::int
             FROM jsonb_array_elements(o.legs) AS l(leg)) AS c
     WHERE o.works AND o.id IS DISTINCT FROM %(target_id)s::uuid
       AND c.con_id = ANY(%(con_ids)s::bigint[])
)
SELECT (SELECT coalesce(jsonb_agg(jsonb_build_array(l.account, l.name, l.value)), '[]'::jsonb)
          FROM ibkeeper.v_risk_limit l WHERE l.account IN ('*', %(account)s)) AS limits,
       (SELECT armed_until FROM ibkeeper.arming a WHERE a.account = %(account)s
         ORDER BY a.id DESC LIMIT 1) AS armed_until,
       (SELECT engaged FROM ibkeeper.kill_switch ORDER BY id DESC LIMIT 1) AS killed,
       (SELECT reason FROM ibkeeper.kill_switch ORDER BY id DESC LIMIT 1) AS kill_reason,
       (SELECT daily_pnl FROM ibkeeper.account_state s WHERE s.account = %(account)s
           AND s.at > clock_timestamp() - interval '12 hours') AS daily_pnl,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'con_id', c.con_id, 'symbol', n.symbol, 'sec_type', n.sec_type,
                   'name', n.local_symbol, 'multiplier', n.multiplier, 'time_zone', n.time_zone,
                   'trading_hours', n.trading_hours, 'liquid_hours', n.liquid_hours,
                   'bid', q.bid::text, 'ask', q.ask::text, 'last', q.last::text,
                   'quality', q.quality,
                   'age_s', extract(epoch FROM clock_timestamp() - q.recv_ts)::float8,
                   'position', (coalesce(p.quantity, 0) + coalesce(x.quantity, 0))::text)),
                   '[]'::jsonb)
          FROM unnest(%(con_ids)s::bigint[]) AS c(con_id)
          LEFT JOIN ibkeeper.instrument n ON n.con_id = c.con_id
          LEFT JOIN ibkeeper.quote_latest q ON q.instrument_id = n.id
          LEFT JOIN ibkeeper.position p ON p.account = %(account)s AND p.con_id = c.con_id
          LEFT JOIN LATERAL (
               SELECT sum(e.quantity * CASE e.side WHEN 'BUY' THEN 1 ELSE -1 END) AS quantity
                 FROM ibkeeper.v_execution e
                WHERE e.account = %(account)s AND e.con_id = c.con_id
                  AND e.heard_at > coalesce(p.at, clock_timestamp() - interval '1 day')) AS x
            ON true) AS contracts,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(w.con_id, w.side, w.quantity::text,
                   w.oca_group, w.family, w.covered::text)), '[]'::jsonb)
          -- Those that are tied to nothing are one sum, however many they are.
          FROM (SELECT m.con_id, m.side, coalesce(m.oca_group, '') AS oca_group,
                       coalesce(m.parent_id::text, '') AS family, sum(m.quantity) AS quantity,
                       min(coalesce(p.quantity, 0)) AS covered
                  FROM move m
                  LEFT JOIN move p ON p.id = m.parent_id AND p.con_id = m.con_id AND p.side <> m.side
                 GROUP BY m.con_id, m.side, m.oca_group, m.parent_id,
                       CASE WHEN coalesce(m.oca_group, m.parent_id::text) IS NOT NULL THEN m.id END
               ) AS w) AS working,
       count(*) FILTER (WHERE works)::int AS working_orders,
       count(*) FILTER (WHERE i.submitting_at > clock_timestamp() - interval '1 second')::int
           AS sent_last_s,
       count(*) FILTER (WHERE i.submitting_at >= %(day_begins)s)::int AS sent_today,
       extract(epoch FROM clock_timestamp() - max(i.submitting_at) FILTER (
           WHERE same AND i.id <> %(id)s AND i.kind = 'new' AND i.side = %(side)s
             AND i.quantity = %(quantity)s AND i.order_type = %(order_type)s
             AND i.limit_price IS NOT DISTINCT FROM %(limit_price)s::numeric
             AND i.stop_price IS NOT DISTINCT FROM %(stop_price)s::numeric))::float8 AS alike_age_s
  FROM open AS i;
