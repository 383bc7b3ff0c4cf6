-- Undoes every file of this folder, newest first. The extension stays: it may have other users.
DROP VIEW ibkeeper.v_latency_1m, ibkeeper.v_session_uptime, ibkeeper.v_quote_latest;
DROP TABLE ibkeeper.chain_quote, ibkeeper.chain_snapshot, ibkeeper.request,
    ibkeeper.session_event, ibkeeper.session, ibkeeper.feed_minute, ibkeeper.sidecar,
    ibkeeper.ingest_batch, ibkeeper.quote_latest, ibkeeper.watch, ibkeeper.instrument;
DROP TABLE ibkeeper.instrument_stat;
DROP TABLE ibkeeper.greeks;
DROP TABLE ibkeeper.trade;
DROP TABLE ibkeeper.quote;
DROP FUNCTION ibkeeper.notify_request(), ibkeeper.guard_session_event(), ibkeeper.notify_watch(),
    ibkeeper.ensure_partitions(int), ibkeeper.ensure_partition(text, date),
    ibkeeper.has_timescale(), ibkeeper.refuse_change(), ibkeeper.guard_first_state(),
    ibkeeper.guard_state(), ibkeeper.check_transition(text, text, text);
DROP TABLE ibkeeper.state_transition;
DROP SEQUENCE ibkeeper.epoch_seq;
