-- Undoes up.sql.
DROP VIEW ibkeeper.v_order;
DROP VIEW ibkeeper.v_execution;
DROP TABLE ibkeeper.order_id_high;
DROP TABLE ibkeeper.position;
DROP TABLE ibkeeper.commission;
DROP TABLE ibkeeper.execution;
DROP TABLE ibkeeper.order_event;
DROP TABLE ibkeeper.order_intent;
DROP TABLE ibkeeper.order_batch;
DROP FUNCTION ibkeeper.notify_order();
DROP FUNCTION ibkeeper.guard_order_terms();
DELETE FROM ibkeeper.state_transition WHERE machine = 'order_intent';
