-- Drills. Written as ibcore/queries.sql says.

-- drill_working_orders --
-- Orders that work, or may: a drill leaves them unseen for a while.
SELECT count(*) AS working FROM ibkeeper.order_intent
 WHERE state IN ('submitting', 'sent', 'acked', 'partial', 'unknown');

-- drill_insert --
-- In the transaction that completes its request.
INSERT INTO ibkeeper.drill (id, sidecar, scenario, begun_at, ended_at, verdict, why, detect_s,
                            recover_s, objectives, failover_s, backup_tick_s, failback_s,
                            ticks_lost)
VALUES (%(id)s, %(sidecar)s, %(scenario)s, %(begun_at)s, %(ended_at)s, %(verdict)s, %(why)s,
        %(detect_s)s, %(recover_s)s, %(objectives)s::jsonb, %(failover_s)s, %(backup_tick_s)s, %(failback_s)s,
        %(ticks_lost)s);

-- drill_step_insert --
-- Its moments.
INSERT INTO ibkeeper.drill_step (drill_id, number, name, at, seconds)
VALUES (%(drill_id)s, %(number)s, %(name)s, %(at)s, %(seconds)s);

-- drill_alert_delivered --
-- Whether the alert of the open incident of a key has reached anybody.
SELECT EXISTS (SELECT FROM ibkeeper.alert a JOIN ibkeeper.incident i ON i.id = a.incident_id
                WHERE i.key = %(key)s AND i.closed_at IS NULL AND a.state = 'delivered') AS there;
