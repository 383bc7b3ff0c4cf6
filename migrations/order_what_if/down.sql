-- Undoes up.sql. Rows of the kind are given up: the older schema has no word for it.
ALTER TABLE ibkeeper.order_event DISABLE TRIGGER order_event_append_only;
DELETE FROM ibkeeper.order_event WHERE kind = 'what_if';
ALTER TABLE ibkeeper.order_event ENABLE TRIGGER order_event_append_only;
ALTER TABLE ibkeeper.order_event DROP CONSTRAINT order_event_kind_known;
ALTER TABLE ibkeeper.order_event ADD CONSTRAINT order_event_kind_known CHECK (
    kind IN ('submitting', 'sent', 'not_sent', 'open', 'status', 'execution', 'commission', 'completed', 'error', 'absent', 'refused', 'expired', 'operator', 'external', 'doubled', 'rollback')
);
