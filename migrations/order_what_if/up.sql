-- What IB says an order would tie up is kept with the order, also that it was not asked and why.
ALTER TABLE ibkeeper.order_event DROP CONSTRAINT order_event_kind_known;
ALTER TABLE ibkeeper.order_event ADD CONSTRAINT order_event_kind_known CHECK (
    kind IN ('submitting', 'sent', 'not_sent', 'open', 'status', 'execution', 'commission', 'completed', 'error', 'absent', 'refused', 'expired', 'operator', 'external', 'doubled', 'rollback', 'what_if')
);
