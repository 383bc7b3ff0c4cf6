-- What is asked of orders at every claim, by an index, however much history there is.

CREATE INDEX execution_base_revision_idx ON ibkeeper.execution (base, revision);
CREATE INDEX execution_account_con_id_heard_at_idx ON ibkeeper.execution (account, con_id, heard_at);
CREATE INDEX order_intent_parent_id_idx ON ibkeeper.order_intent (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX order_intent_target_id_idx ON ibkeeper.order_intent (target_id) WHERE target_id IS NOT NULL;

-- Not DISTINCT ON: a condition on the intent or the contract must reach the table.
CREATE OR REPLACE VIEW ibkeeper.v_execution AS
SELECT e.* FROM ibkeeper.execution e
 WHERE NOT EXISTS (SELECT FROM ibkeeper.execution n
                    WHERE n.base = e.base AND n.revision > e.revision);
COMMENT ON VIEW ibkeeper.v_execution IS 'Executions as corrected.';
