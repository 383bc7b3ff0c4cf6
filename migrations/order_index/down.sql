-- Undoes up.sql; the view means the same either way.
DROP INDEX ibkeeper.order_intent_target_id_idx;
DROP INDEX ibkeeper.order_intent_parent_id_idx;
DROP INDEX ibkeeper.execution_account_con_id_heard_at_idx;
DROP INDEX ibkeeper.execution_base_revision_idx;
