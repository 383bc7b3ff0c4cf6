-- Batches: what people submit, and what they are told. Written as ibcore/queries.sql says.

-- batch_take --
-- Whoever comes first makes it; everybody else meets the row, and waits for its commit.
WITH made AS (
    INSERT INTO ibkeeper.order_batch (key, body_hash, submitted_by, approved_by)
    VALUES (%(key)s, %(body_hash)s, %(submitted_by)s, %(approved_by)s)
    ON CONFLICT (key) DO NOTHING
    RETURNING id, body_hash
)
SELECT id, body_hash, true AS made FROM made;

-- batch_find --
-- By its key.
SELECT id, body_hash, submitted_by, created_at FROM ibkeeper.order_batch WHERE key = %(key)s;

-- batch_intent_insert --
-- Batch and line are the idempotency key. The mid of this moment is what slippage is against.
INSERT INTO ibkeeper.order_intent (
       batch_id, line, kind, target_id, parent_id, account, instrument_id, legs, symbol, sec_type,
       exchange, currency, side, quantity, order_type, limit_price, stop_price, trail_amount,
       trail_percent, tif, outside_rth, oca_group, algo, algo_params, not_before, not_after,
       mid_at_intent)
SELECT %(batch_id)s, %(line)s, 'new', NULL, %(parent_id)s::uuid, %(account)s,
       %(instrument_id)s::int, %(legs)s::jsonb, %(symbol)s, %(sec_type)s, %(exchange)s,
       %(currency)s, %(side)s, %(quantity)s, %(order_type)s, %(limit_price)s, %(stop_price)s,
       %(trail_amount)s, %(trail_percent)s, %(tif)s, %(outside_rth)s, %(oca_group)s, %(algo)s,
       %(algo_params)s::jsonb, %(not_before)s::timestamptz,
       greatest(clock_timestamp(), %(not_before)s::timestamptz)
       + make_interval(secs => %(ttl_s)s),
       coalesce(
           (SELECT CASE WHEN q.bid IS NULL OR q.ask IS NULL THEN q.last
                        ELSE (q.bid + q.ask) / 2 END
              FROM ibkeeper.quote_latest q WHERE q.instrument_id = %(instrument_id)s::int),
           -- Of a combination: by the mids of its legs, once there is one of each.
           (SELECT CASE WHEN bool_and(q.bid IS NOT NULL AND q.ask IS NOT NULL)
                        THEN sum((q.bid + q.ask) / 2 * (l.leg ->> 'ratio')::int
                                 * CASE l.leg ->> 'action' WHEN 'BUY' THEN 1 ELSE -1 END) END
              FROM jsonb_array_elements(%(legs)s::jsonb) AS l(leg)
              LEFT JOIN ibkeeper.instrument n ON n.con_id = (l.leg ->> 'con_id')::bigint
              LEFT JOIN ibkeeper.quote_latest q ON q.instrument_id = n.id))
ON CONFLICT (batch_id, line) DO NOTHING
RETURNING id;

-- batch_change_insert --
-- A change or a cancel of an order, numbered after the last line of its batch.
INSERT INTO ibkeeper.order_intent (
       batch_id, line, kind, target_id, account, instrument_id, legs, symbol, sec_type, exchange,
       currency, side, quantity, order_type, limit_price, stop_price, trail_amount, trail_percent,
       tif, outside_rth, not_after)
SELECT t.batch_id, (SELECT max(l.line) FROM ibkeeper.order_intent l
                     WHERE l.batch_id = t.batch_id) + row_number() OVER (ORDER BY t.line),
       %(kind)s, t.id, t.account, t.instrument_id, t.legs, t.symbol, t.sec_type, t.exchange,
       t.currency, t.side, coalesce(%(quantity)s::numeric, t.quantity), t.order_type,
       coalesce(%(limit_price)s::numeric, t.limit_price),
       coalesce(%(stop_price)s::numeric, t.stop_price), t.trail_amount, t.trail_percent, t.tif,
       t.outside_rth, clock_timestamp() + make_interval(secs => %(ttl_s)s)
  FROM ibkeeper.order_intent t
 WHERE t.id = ANY(%(targets)s) AND t.kind = 'new'
   AND t.state IN ('submitting', 'sent', 'acked', 'partial', 'unknown')
   AND NOT EXISTS (SELECT FROM ibkeeper.order_intent c
                    WHERE c.target_id = t.id AND c.kind = %(kind)s AND %(kind)s = 'cancel'
                      AND c.state IN ('intent', 'submitting', 'sent'))
RETURNING id, target_id;

-- batch_lock --
-- Two that change one batch number their lines one after the other.
SELECT id FROM ibkeeper.order_batch WHERE key = %(key)s FOR UPDATE;

-- batch_cancel_unsent --
-- What was not sent yet ends here; a claim that holds the row is waited for.
UPDATE ibkeeper.order_intent
   SET state = 'cancelled', reason = %(reason)s, state_at = clock_timestamp()
 WHERE batch_id = %(batch_id)s AND state = 'intent' AND kind <> 'cancel'
RETURNING id;

-- batch_working --
-- What may be live at IB.
SELECT id FROM ibkeeper.order_intent
 WHERE batch_id = %(batch_id)s AND kind = 'new'
   AND state IN ('submitting', 'sent', 'acked', 'partial', 'unknown');

-- batch_orders --
-- One row a line, as a person reads it.
SELECT id, line, kind, account, symbol, sec_type, local_symbol, side, quantity, order_type,
       limit_price, stop_price, tif, state, reason, filled, average_price, commission, slippage,
       mid_at_intent, sent_at, state_at, target_id,
       (SELECT string_agg(format('%%s%%s %%s', CASE l.leg ->> 'action' WHEN 'BUY' THEN '+' ELSE '-' END,
                                 l.leg ->> 'ratio',
                                 coalesce(n.local_symbol, 'con id ' || (l.leg ->> 'con_id'))),
                          '; ' ORDER BY l.place)
          FROM ibkeeper.order_intent i
         CROSS JOIN LATERAL jsonb_array_elements(i.legs) WITH ORDINALITY AS l(leg, place)
          LEFT JOIN ibkeeper.instrument n ON n.con_id = (l.leg ->> 'con_id')::bigint
         WHERE i.id = v_order.id) AS legs
  FROM ibkeeper.v_order
 WHERE batch = %(key)s
 ORDER BY line;

-- batch_recent --
-- The newest batches with their states counted.
SELECT b.key, b.submitted_by, b.created_at, count(i.id)::int AS orders,
       count(i.id) FILTER (WHERE i.state IN ('filled', 'cancelled', 'rejected', 'refused',
                                             'expired', 'not_sent', 'done'))::int AS ended,
       count(i.id) FILTER (WHERE i.state = 'unknown')::int AS unknown
  FROM ibkeeper.order_batch b LEFT JOIN ibkeeper.order_intent i ON i.batch_id = b.id
 GROUP BY b.id ORDER BY b.created_at DESC LIMIT %(limit)s;

-- batch_accounts --
-- The accounts of the gateways that sidecars are connected to.
SELECT account, sidecar, at FROM ibkeeper.account_state
 WHERE at > clock_timestamp() - interval '1 day' AND (%(sidecar)s::text IS NULL
       OR sidecar = %(sidecar)s)
 ORDER BY account;

-- batch_instruments --
-- What the sidecar made of the lines that were put on its watch list.
SELECT w.symbol, w.sec_type, w.exchange, w.currency, w.expiry, w.strike::float8 AS strike,
       w."right", w.primary_exchange, w.trading_class, w.instrument_id, n.con_id, w.state, w.reason,
       q.recv_ts IS NOT NULL AS quoted
  FROM ibkeeper.watch w
  LEFT JOIN ibkeeper.instrument n ON n.id = w.instrument_id
  LEFT JOIN ibkeeper.quote_latest q ON q.instrument_id = w.instrument_id
 WHERE w.sidecar = %(sidecar)s AND w.symbol = ANY(%(symbols)s);

-- batch_instrument --
-- What risk wants to know of an instrument.
SELECT id, con_id, multiplier, time_zone, trading_hours, liquid_hours
  FROM ibkeeper.instrument WHERE id = ANY(%(ids)s);

-- batch_resolve --
-- A named person says what became of an unknown order.
UPDATE ibkeeper.order_intent
   SET state = %(state)s, reason = %(reason)s, state_at = clock_timestamp()
 WHERE id = %(id)s AND state = 'unknown'
RETURNING id;

-- batch_resolved_note --
-- Evidence like any other.
INSERT INTO ibkeeper.order_event (at, intent_id, kind, state, detail)
VALUES (clock_timestamp(), %(id)s, 'operator', %(state)s, %(reason)s);

-- order_report --
-- One row a break of the day: what does not agree with IB, or within itself.
WITH day AS (SELECT %(begins)s::timestamptz AS begins, %(ends)s::timestamptz AS ends),
fills AS (
    SELECT e.intent_id, sum(e.quantity) AS quantity
      FROM ibkeeper.v_execution e
      JOIN ibkeeper.order_intent i ON i.id = e.intent_id
     WHERE i.sec_type <> 'BAG' OR e.sec_type = 'BAG'
     GROUP BY e.intent_id
)
SELECT 'unknown' AS kind, i.id::text AS subject,
       format('%%s %%s %%s of %%s: %%s', i.side, trim_scale(i.quantity), i.symbol, i.account, i.reason)
           AS detail
  FROM ibkeeper.order_intent i WHERE i.state = 'unknown'
 UNION ALL
SELECT 'fills differ', i.id::text,
       format('%%s %%s: the intent says %%s filled, its executions %%s', i.symbol, i.state,
              trim_scale(i.filled), trim_scale(coalesce(f.quantity, 0)))
  FROM ibkeeper.order_intent i LEFT JOIN fills f ON f.intent_id = i.id, day
 WHERE i.kind = 'new' AND i.submitting_at >= day.begins AND i.submitting_at < day.ends
   AND (i.filled <> coalesce(f.quantity, 0)
        OR i.state = 'filled' AND coalesce(f.quantity, 0) < i.quantity
           AND NOT EXISTS (SELECT FROM ibkeeper.order_intent m WHERE m.target_id = i.id
                             AND m.kind = 'modify' AND m.state = 'done'))
 UNION ALL
SELECT 'execution of nobody', e.exec_id,
       format('%%s %%s %%s at %%s, client %%s order %%s', e.side, trim_scale(e.quantity), e.symbol,
              trim_scale(e.price), e.client_id, e.order_id)
  FROM ibkeeper.v_execution e, day
 WHERE e.intent_id IS NULL AND e.heard_at >= day.begins AND e.heard_at < day.ends
   AND e.order_ref LIKE 'ibk:%%'
 UNION ALL
SELECT 'no commission', e.exec_id, format('%%s %%s %%s', e.side, trim_scale(e.quantity), e.symbol)
  FROM ibkeeper.v_execution e, day
 WHERE e.intent_id IS NOT NULL AND e.heard_at >= day.begins AND e.heard_at < day.ends
   AND e.sec_type <> 'BAG' AND e.heard_at < clock_timestamp() - interval '1 minute'
   AND NOT EXISTS (SELECT FROM ibkeeper.commission c WHERE c.exec_id = e.exec_id)
 UNION ALL
SELECT 'commission of nobody', c.exec_id, format('%%s %%s', trim_scale(c.commission), c.currency)
  FROM ibkeeper.commission c, day
 WHERE c.at >= day.begins AND c.at < day.ends AND c.at < clock_timestamp() - interval '1 minute'
   AND NOT EXISTS (SELECT FROM ibkeeper.execution e WHERE e.exec_id = c.exec_id)
 UNION ALL
SELECT 'position differs', p.account || ' ' || p.symbol || ' ' || p.con_id,
       format('IB says %%s, the report before plus the executions since say %%s',
              trim_scale(p.quantity), trim_scale(b.quantity + coalesce(x.quantity, 0)))
  FROM ibkeeper.position_baseline b
  JOIN ibkeeper.position p USING (account, con_id)
  LEFT JOIN LATERAL (
       SELECT sum(e.quantity * CASE e.side WHEN 'BUY' THEN 1 ELSE -1 END) AS quantity
         FROM ibkeeper.v_execution e
        WHERE e.account = b.account AND e.con_id = b.con_id AND e.heard_at > b.at
          AND e.heard_at <= p.at) AS x ON true
 WHERE p.quantity <> b.quantity + coalesce(x.quantity, 0)
 ORDER BY 1, 2;

-- order_report_totals --
-- What the day was.
SELECT count(*) FILTER (WHERE i.kind = 'new')::int AS orders,
       count(*) FILTER (WHERE i.kind = 'new' AND i.filled > 0)::int AS with_fills,
       count(*) FILTER (WHERE i.state = 'rejected')::int AS rejected,
       count(*) FILTER (WHERE i.state = 'refused')::int AS refused,
       count(*) FILTER (WHERE i.state = 'unknown')::int AS unknown,
       (SELECT count(*)::int FROM ibkeeper.v_execution e
         WHERE e.heard_at >= %(begins)s AND e.heard_at < %(ends)s) AS executions,
       (SELECT coalesce(sum(c.commission), 0) FROM ibkeeper.commission c
         WHERE c.at >= %(begins)s AND c.at < %(ends)s) AS commission
  FROM ibkeeper.order_intent i
 WHERE i.created_at >= %(begins)s AND i.created_at < %(ends)s;

-- order_report_baseline --
-- What was held at the end of this report: the next one counts from here.
INSERT INTO ibkeeper.position_baseline AS b (account, con_id, symbol, quantity, at)
SELECT account, con_id, symbol, quantity, at FROM ibkeeper.position
    ON CONFLICT (account, con_id) DO UPDATE SET
       symbol = excluded.symbol, quantity = excluded.quantity, at = excluded.at;

-- order_incidents_over --
-- What was told once and is in the report now.
SELECT ibkeeper.close_incident(key, 'in the report of the day') AS closed
  FROM ibkeeper.incident
 WHERE closed_at IS NULL AND kind IN ('order_rejected', 'order_change_unknown', 'order_external',
                                    'order_id_rollback');
