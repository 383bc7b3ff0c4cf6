-- The hot statements, by name. Each block is a line `-- name --`, a comment that says why it is
-- shaped so, and the statement. `ibcore.db.QUERIES["name"]` gives its text (bytes) without
-- comment lines; a doubled name or a missing comment stops the import. Write every table with
-- its schema (`ibkeeper.quote`), parameters as %(name)s, one statement a block. Append freely.

-- ensure_partitions --
-- Day partitions from yesterday to today + N; says what it made and what it had to leave.
SELECT partition, outcome FROM ibkeeper.ensure_partitions(%(days_ahead)s);

-- may_take_role --
-- MEMBER is enough before PostgreSQL 16; since then a membership may leave SET ROLE out.
SELECT pg_has_role(oid, CASE WHEN current_setting('server_version_num')::int >= 160000
                             THEN 'SET' ELSE 'MEMBER' END) AS may
  FROM pg_roles
 WHERE rolname = %(role)s;

-- try_upkeep_lock --
-- Held by the connection: the flow and `ibkeeper db maintain` must not do the same day at once.
SELECT pg_try_advisory_lock(hashtextextended('ibkeeper.upkeep', 0)) AS held;

-- stray_days --
-- Rows that came before their day had a partition.
SELECT market_table, day FROM ibkeeper.stray_days();

-- settle_strays --
-- One transaction a day and table.
SELECT ibkeeper.settle_strays(%(market_table)s, %(day)s) AS outcome;

-- days_to_close --
-- Nothing under TimescaleDB, whose aggregates refresh themselves.
SELECT day FROM ibkeeper.days_to_close(%(late_days)s) AS day;

-- close_day --
-- One transaction a day: a large one takes seconds, and its locks touch no tick.
SELECT ibkeeper.close_day(%(day)s) AS outcome;

-- days_to_drop --
-- The oldest first.
SELECT market_table, day FROM ibkeeper.days_to_drop(%(keep_days)s);

-- drop_day --
-- One transaction a partition, and half a second for its lock: the recorder waits for no more.
SELECT ibkeeper.drop_day(%(market_table)s, %(day)s, %(keep_days)s) AS outcome;

-- apply_policies --
-- Nothing without TimescaleDB.
SELECT market_table, outcome FROM ibkeeper.apply_policies(%(compress_days)s, %(keep_days)s);

-- prune_backfill --
-- Retention of ticks that were filled in afterwards.
SELECT ibkeeper.prune_backfill(%(keep_days)s) AS ticks;

-- prune_ledger --
-- How many entries went.
SELECT ibkeeper.prune_ledger(%(keep_days)s) AS entries;

-- next_epoch --
-- One number for every start of any sidecar: rows of an older start can be told apart.
SELECT nextval('ibkeeper.epoch_seq')::int AS epoch;

-- schema_version --
-- One row; an empty database has no such table, which `check_schema` knows.
SELECT version_num FROM ibkeeper.alembic_version;

-- database_names --
-- CREATE DATABASE knows no IF NOT EXISTS.
SELECT datname FROM pg_database;

-- try_sidecar_lock --
-- Held by the connection: it ends with the process, however the process ends.
SELECT pg_try_advisory_lock(hashtextextended('ibkeeper.sidecar.' || %(name)s, 0)) AS held;

-- sidecar_lock_holder --
-- The lock says which backend, the row says which process on which machine, and since when to a
-- role that may not look at other backends.
WITH key AS (SELECT hashtextextended('ibkeeper.sidecar.' || %(name)s, 0) AS k)
SELECT s.pid, s.host, s.heartbeat_at, a.application_name AS application,
       coalesce(a.backend_start, s.started_at) AS backend_start
  FROM key
  JOIN pg_locks l
    ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND ((l.classid::bigint << 32) | l.objid::bigint) = key.k
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  LEFT JOIN ibkeeper.sidecar s ON s.name = %(name)s
 LIMIT 1;

-- note_session --
-- One row an attempt, found by when it was opened: written again (after a lost connection, or
-- because an older entry was given up) it ends up the same.
WITH changed AS (
    UPDATE ibkeeper.session
       SET state = %(state)s, ready_at = %(ready_at)s, closed_at = %(closed_at)s,
           connect_ms = %(connect_ms)s, server_version = %(server_version)s,
           close_reason = %(close_reason)s, link = %(link)s
     WHERE sidecar = %(sidecar)s AND epoch = %(epoch)s AND role = %(role)s
       AND opened_at = %(opened_at)s
    RETURNING id
), added AS (
    INSERT INTO ibkeeper.session (sidecar, epoch, role, provider, host, port, client_id, state,
                                  attempt, opened_at, ready_at, closed_at, connect_ms,
                                  server_version, close_reason, link)
    SELECT %(sidecar)s, %(epoch)s, %(role)s, %(provider)s, %(host)s, %(port)s, %(client_id)s,
           %(state)s, %(attempt)s, %(opened_at)s, %(ready_at)s, %(closed_at)s, %(connect_ms)s,
           %(server_version)s, %(close_reason)s, %(link)s
     WHERE NOT EXISTS (SELECT FROM changed)
    RETURNING id
)
SELECT id FROM changed UNION ALL SELECT id FROM added;

-- note_session_event --
-- Append-only. The moment identifies it: written twice, it is there once.
INSERT INTO ibkeeper.session_event (at, sidecar, epoch, role, session_id, old_state, new_state,
                                    attempt, backoff_s, code, reason)
SELECT %(at)s, %(sidecar)s, %(epoch)s, %(role)s, %(session_id)s, %(old_state)s, %(new_state)s,
       %(attempt)s, %(backoff_s)s, %(code)s, %(reason)s
 WHERE NOT EXISTS (SELECT FROM ibkeeper.session_event
                    WHERE sidecar = %(sidecar)s AND role = %(role)s AND epoch = %(epoch)s
                      AND at = %(at)s AND new_state = %(new_state)s);

-- instrument_upsert --
-- Any number of contracts as one JSON array, in the order of con_id (see sidecar/instruments.py).
INSERT INTO ibkeeper.instrument (
       con_id, symbol, sec_type, exchange, primary_exchange, currency, local_symbol, trading_class,
       multiplier, expiry, strike, "right", min_tick, market_name, long_name, underlying_con_id,
       time_zone, trading_hours, liquid_hours, valid_exchanges, market_rule_ids, industry, category,
       stock_type, details_at)
SELECT con_id, symbol, sec_type, exchange, primary_exchange, currency, local_symbol, trading_class,
       multiplier, expiry, strike, "right", min_tick, market_name, long_name, underlying_con_id,
       time_zone, trading_hours, liquid_hours, valid_exchanges, market_rule_ids, industry, category,
       stock_type, clock_timestamp()
  FROM jsonb_to_recordset(%(rows)s::jsonb) AS c(
       con_id bigint, symbol text, sec_type text, exchange text, primary_exchange text,
       currency text, local_symbol text, trading_class text, multiplier text, expiry date,
       strike numeric, "right" text, min_tick numeric, market_name text, long_name text,
       underlying_con_id bigint, time_zone text, trading_hours text, liquid_hours text,
       valid_exchanges text, market_rule_ids text, industry text, category text, stock_type text)
 ORDER BY con_id
ON CONFLICT (con_id) DO UPDATE SET
       symbol = EXCLUDED.symbol, sec_type = EXCLUDED.sec_type, exchange = EXCLUDED.exchange,
       primary_exchange = EXCLUDED.primary_exchange, currency = EXCLUDED.currency,
       local_symbol = EXCLUDED.local_symbol, trading_class = EXCLUDED.trading_class,
       multiplier = EXCLUDED.multiplier, expiry = EXCLUDED.expiry, strike = EXCLUDED.strike,
       "right" = EXCLUDED."right", min_tick = EXCLUDED.min_tick,
       market_name = EXCLUDED.market_name, long_name = EXCLUDED.long_name,
       underlying_con_id = EXCLUDED.underlying_con_id, time_zone = EXCLUDED.time_zone,
       trading_hours = EXCLUDED.trading_hours, liquid_hours = EXCLUDED.liquid_hours,
       valid_exchanges = EXCLUDED.valid_exchanges, market_rule_ids = EXCLUDED.market_rule_ids,
       industry = EXCLUDED.industry, category = EXCLUDED.category,
       stock_type = EXCLUDED.stock_type, details_at = EXCLUDED.details_at
RETURNING con_id, id;

-- request_insert --
-- The deadline is counted by the database's clock: asker and sidecar may disagree on the time.
INSERT INTO ibkeeper.request (kind, payload, sidecar, requested_by, deadline_at)
VALUES (%(kind)s, %(payload)s::jsonb, %(sidecar)s, %(requested_by)s,
       clock_timestamp() + make_interval(secs => %(deadline_s)s))
RETURNING id;

-- request_claim --
-- The oldest request that this sidecar may do and that nobody else is just claiming.
UPDATE ibkeeper.request AS r
   SET state = 'claimed', claimed_by = %(sidecar)s, claimed_epoch = %(epoch)s,
       claimed_at = clock_timestamp()
 WHERE r.id = (SELECT id FROM ibkeeper.request
                WHERE state = 'requested' AND (sidecar IS NULL OR sidecar = %(sidecar)s)
                  AND deadline_at > clock_timestamp()
                ORDER BY requested_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING r.id, r.kind, r.payload,
          extract(epoch FROM r.deadline_at - clock_timestamp())::float8 AS remaining_s;

-- request_expire --
-- What nobody took in time.
UPDATE ibkeeper.request
   SET state = 'expired', finished_at = clock_timestamp(), error_kind = 'deadline',
       error = 'The deadline passed before the sidecar came to it. Nothing was done; ask again.'
 WHERE state = 'requested' AND deadline_at <= clock_timestamp()
   AND (sidecar IS NULL OR sidecar = %(sidecar)s);

-- request_orphans --
-- What an earlier start of this sidecar had claimed and can no longer finish.
UPDATE ibkeeper.request
   SET state = 'failed', finished_at = clock_timestamp(), error_kind = 'sidecar_restarted',
       error = 'The sidecar was restarted while it worked on this. Nothing was stored; ask again.'
 WHERE state = 'claimed' AND claimed_by = %(sidecar)s
   AND claimed_epoch IS DISTINCT FROM %(epoch)s
RETURNING id;

-- request_give_up --
-- At the end of a start: also what was claimed in the very moment in which the worker was stopped.
UPDATE ibkeeper.request
   SET state = 'failed', finished_at = clock_timestamp(), error_kind = 'sidecar_stopped',
       error = 'The sidecar was stopped while it worked on this. Nothing was stored; start it and'
               ' ask again.'
 WHERE state = 'claimed' AND claimed_by = %(sidecar)s AND claimed_epoch = %(epoch)s
RETURNING id;

-- request_progress --
-- No row: the request was withdrawn or expired meanwhile, and the work must stop.
UPDATE ibkeeper.request
   SET progress_done = %(done)s, progress_total = %(total)s
 WHERE id = %(id)s AND state = 'claimed' AND claimed_epoch = %(epoch)s
RETURNING id;

-- request_finish --
-- No row: somebody ended it first; whatever this transaction wrote must be rolled back.
UPDATE ibkeeper.request
   SET state = %(state)s, finished_at = clock_timestamp(), progress_done = %(done)s,
       progress_total = %(total)s, result = %(result)s::jsonb, error = %(error)s,
       error_kind = %(error_kind)s
 WHERE id = %(id)s AND state = 'claimed' AND claimed_epoch = %(epoch)s
RETURNING id;

-- request_withdraw --
-- By whoever asked: nobody waits for the answer any more.
UPDATE ibkeeper.request
   SET state = 'expired', finished_at = clock_timestamp(), error_kind = %(error_kind)s,
       error = %(error)s
 WHERE requested_by = %(requested_by)s AND state IN ('requested', 'claimed')
RETURNING id;

-- request_look --
-- Everything a waiting flow wants to know.
SELECT id, state, progress_done, progress_total, result, error, error_kind,
       extract(epoch FROM deadline_at - clock_timestamp())::float8 AS remaining_s
  FROM ibkeeper.request
 WHERE id = %(id)s;

-- sidecar_pulse --
-- How long ago the sidecar last said that it lives; NULL name: any of them.
SELECT name, state, host, pid,
       extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 AS age_s
  FROM ibkeeper.sidecar
 WHERE %(name)s::text IS NULL OR name = %(name)s
 ORDER BY heartbeat_at DESC NULLS LAST
 LIMIT 1;

-- copy_quote --
-- Columns in the order of ibcore.domain.Quote; named, so that a new column breaks nothing.
COPY ibkeeper.quote (ts, recv_ts, instrument_id, seq, epoch, provider, quality, tick_type,
                     bid, bid_size, ask, ask_size) FROM STDIN (FORMAT binary);

-- copy_trade --
-- Columns in the order of ibcore.domain.Trade.
COPY ibkeeper.trade (ts, recv_ts, instrument_id, seq, epoch, provider, quality, tick_type,
                     source, price, size, volume, vwap) FROM STDIN (FORMAT binary);

-- copy_greeks --
-- Columns in the order of ibcore.domain.Greeks.
COPY ibkeeper.greeks (ts, recv_ts, instrument_id, seq, epoch, provider, quality, kind, iv, delta,
                      gamma, vega, theta, option_price, pv_dividend, underlying_price,
                      price_based) FROM STDIN (FORMAT binary);

-- copy_instrument_stat --
-- Columns in the order of ibcore.domain.Stat; its value stands in one of the last two.
COPY ibkeeper.instrument_stat (ts, recv_ts, instrument_id, seq, epoch, provider, quality,
                               tick_type, field, value, text_value) FROM STDIN (FORMAT binary);

-- note_batches --
-- The replay ledger, last before the commit: a batch sent twice stops at its primary key, and
-- committed_at is as near to the commit as a row can say.
INSERT INTO ibkeeper.ingest_batch (spool, batch, sidecar, epoch, first_seq, last_seq, rows,
                                   sealed_at, first_ts, last_ts)
SELECT %(spool)s, batch, %(sidecar)s, %(epoch)s, first_seq, last_seq, rows, sealed_at, first_ts,
       last_ts
  FROM unnest(%(batch)s::bigint[], %(first_seq)s::bigint[], %(last_seq)s::bigint[],
              %(rows)s::int[], %(sealed_at)s::timestamptz[], %(first_ts)s::timestamptz[],
              %(last_ts)s::timestamptz[])
       AS b (batch, first_seq, last_seq, rows, sealed_at, first_ts, last_ts);

-- committed_batches --
-- Asked before a batch is sent again: an answer that got lost may have been a yes.
SELECT batch FROM ibkeeper.ingest_batch
 WHERE spool = %(spool)s AND batch = ANY(%(batch)s::bigint[]);

-- note_feed_gap --
-- A gap may be told twice, and grows until it is over.
INSERT INTO ibkeeper.feed_gap AS g (id, sidecar, epoch, cause, from_ts, to_ts, spool, first_seq,
                                    last_seq, rows, detail)
VALUES (%(id)s, %(sidecar)s, %(epoch)s, %(cause)s, %(from_ts)s, %(to_ts)s, %(spool)s,
        %(first_seq)s, %(last_seq)s, %(rows)s, %(detail)s)
    ON CONFLICT (id) DO UPDATE SET
       to_ts = greatest(g.to_ts, excluded.to_ts), last_seq = greatest(g.last_seq, excluded.last_seq),
       rows = greatest(g.rows, excluded.rows);

-- note_rejected_tick --
-- What is alike within a minute is one row, which grows.
INSERT INTO ibkeeper.rejected_tick AS r (id, sidecar, epoch, instrument_id, tick_type, reason, raw,
                                         recv_ts, last_ts, alike)
VALUES (%(id)s, %(sidecar)s, %(epoch)s, %(instrument_id)s, %(tick_type)s, %(reason)s, %(raw)s,
        %(recv_ts)s, %(last_ts)s, %(alike)s)
    ON CONFLICT (id) DO UPDATE SET
       last_ts = greatest(r.last_ts, excluded.last_ts), alike = greatest(r.alike, excluded.alike);

-- prune_rejected_ticks --
-- Evidence, not data: a storm must not fill the disk.
DELETE FROM ibkeeper.rejected_tick
 WHERE sidecar = %(sidecar)s
   AND recv_ts < (SELECT recv_ts FROM ibkeeper.rejected_tick WHERE sidecar = %(sidecar)s
                   ORDER BY recv_ts DESC OFFSET %(rows)s LIMIT 1);

-- announce_rows --
-- One hint a transaction, from one writer: NOTIFY takes an instance-wide lock at commit.
SELECT pg_notify('ibkeeper_rows', %(payload)s);

-- latest_quote --
-- An older value never overwrites a newer one: by seq within a start of the sidecar, by arrival
-- between starts. Sorted by instrument, so that two sidecars cannot deadlock.
INSERT INTO ibkeeper.quote_latest AS l
      (instrument_id, ts, recv_ts, seq, epoch, provider, quality, bid, bid_size, ask, ask_size,
       last, last_size, last_ts, volume, vwap)
SELECT * FROM unnest(
       %(instrument_id)s::int[], %(ts)s::timestamptz[], %(recv_ts)s::timestamptz[],
       %(seq)s::bigint[], %(epoch)s::int[], %(provider)s::text[], %(quality)s::text[],
       %(bid)s::float8[], %(bid_size)s::float8[], %(ask)s::float8[], %(ask_size)s::float8[],
       %(last)s::float8[], %(last_size)s::float8[], %(last_ts)s::timestamptz[],
       %(volume)s::float8[], %(vwap)s::float8[])
    ON CONFLICT (instrument_id) DO UPDATE SET
       ts = excluded.ts, recv_ts = excluded.recv_ts, seq = excluded.seq, epoch = excluded.epoch,
       provider = excluded.provider, quality = excluded.quality, bid = excluded.bid,
       bid_size = excluded.bid_size, ask = excluded.ask, ask_size = excluded.ask_size,
       last = excluded.last, last_size = excluded.last_size, last_ts = excluded.last_ts,
       volume = excluded.volume, vwap = excluded.vwap
 WHERE (l.epoch = excluded.epoch AND l.seq <= excluded.seq)
    OR (l.epoch <> excluded.epoch AND l.recv_ts <= excluded.recv_ts);

-- latest_stat --
-- An older value never overwrites a newer one: by seq within a start of the sidecar, by arrival
-- between starts. Statistics only: they change seldom.
INSERT INTO ibkeeper.quote_latest AS l
      (instrument_id, ts, recv_ts, seq, epoch, provider, quality, open, high, low, close, mark,
       halted, shortable, shortable_shares, volume_rate_3min, volume_rate_5min,
       volume_rate_10min, avg_volume, call_open_interest, put_open_interest, open_interest,
       call_volume, put_volume, historical_volatility, implied_volatility, bid_exchange,
       ask_exchange, last_exchange)
SELECT * FROM unnest(
       %(instrument_id)s::int[], %(ts)s::timestamptz[], %(recv_ts)s::timestamptz[],
       %(seq)s::bigint[], %(epoch)s::int[], %(provider)s::text[], %(quality)s::text[],
       %(open)s::float8[], %(high)s::float8[], %(low)s::float8[], %(close)s::float8[],
       %(mark)s::float8[], %(halted)s::float8[], %(shortable)s::float8[],
       %(shortable_shares)s::float8[], %(volume_rate_3min)s::float8[],
       %(volume_rate_5min)s::float8[], %(volume_rate_10min)s::float8[],
       %(avg_volume)s::float8[], %(call_open_interest)s::float8[],
       %(put_open_interest)s::float8[], %(open_interest)s::float8[], %(call_volume)s::float8[],
       %(put_volume)s::float8[], %(historical_volatility)s::float8[],
       %(implied_volatility)s::float8[], %(bid_exchange)s::text[], %(ask_exchange)s::text[],
       %(last_exchange)s::text[])
    ON CONFLICT (instrument_id) DO UPDATE SET
       ts = excluded.ts, recv_ts = excluded.recv_ts, seq = excluded.seq, epoch = excluded.epoch,
       provider = excluded.provider, quality = excluded.quality, open = excluded.open,
       high = excluded.high, low = excluded.low, close = excluded.close, mark = excluded.mark,
       halted = excluded.halted, shortable = excluded.shortable,
       shortable_shares = excluded.shortable_shares,
       volume_rate_3min = excluded.volume_rate_3min,
       volume_rate_5min = excluded.volume_rate_5min,
       volume_rate_10min = excluded.volume_rate_10min, avg_volume = excluded.avg_volume,
       call_open_interest = excluded.call_open_interest,
       put_open_interest = excluded.put_open_interest, open_interest = excluded.open_interest,
       call_volume = excluded.call_volume, put_volume = excluded.put_volume,
       historical_volatility = excluded.historical_volatility,
       implied_volatility = excluded.implied_volatility, bid_exchange = excluded.bid_exchange,
       ask_exchange = excluded.ask_exchange, last_exchange = excluded.last_exchange
 WHERE (l.epoch = excluded.epoch AND l.seq <= excluded.seq)
    OR (l.epoch <> excluded.epoch AND l.recv_ts <= excluded.recv_ts);

-- latest_greeks --
-- An older value never overwrites a newer one: by seq within a start of the sidecar, by arrival
-- between starts. Greeks only.
INSERT INTO ibkeeper.quote_latest AS l
      (instrument_id, ts, recv_ts, seq, epoch, provider, quality, model_iv, model_delta,
       model_gamma, model_vega, model_theta, model_price, pv_dividend, underlying_price, bid_iv,
       ask_iv, last_iv)
SELECT * FROM unnest(
       %(instrument_id)s::int[], %(ts)s::timestamptz[], %(recv_ts)s::timestamptz[],
       %(seq)s::bigint[], %(epoch)s::int[], %(provider)s::text[], %(quality)s::text[],
       %(model_iv)s::float8[], %(model_delta)s::float8[], %(model_gamma)s::float8[],
       %(model_vega)s::float8[], %(model_theta)s::float8[], %(model_price)s::float8[],
       %(pv_dividend)s::float8[], %(underlying_price)s::float8[], %(bid_iv)s::float8[],
       %(ask_iv)s::float8[], %(last_iv)s::float8[])
    ON CONFLICT (instrument_id) DO UPDATE SET
       ts = excluded.ts, recv_ts = excluded.recv_ts, seq = excluded.seq, epoch = excluded.epoch,
       provider = excluded.provider, quality = excluded.quality, model_iv = excluded.model_iv,
       model_delta = excluded.model_delta, model_gamma = excluded.model_gamma,
       model_vega = excluded.model_vega, model_theta = excluded.model_theta,
       model_price = excluded.model_price, pv_dividend = excluded.pv_dividend,
       underlying_price = excluded.underlying_price, bid_iv = excluded.bid_iv,
       ask_iv = excluded.ask_iv, last_iv = excluded.last_iv
 WHERE (l.epoch = excluded.epoch AND l.seq <= excluded.seq)
    OR (l.epoch <> excluded.epoch AND l.recv_ts <= excluded.recv_ts);

-- read_latest --
-- What the cache knew before this start: IB re-sends its last print, which is then no new one.
SELECT * FROM ibkeeper.quote_latest;

-- cached_instruments --
-- A crash of the server empties the cache: asked every second while nothing is to be committed.
SELECT instrument_id FROM ibkeeper.quote_latest
 WHERE instrument_id = ANY(%(instruments)s::int[]);

-- latest_from_history --
-- What the cache would say of watched instruments that it lacks, out of the last days' rows. One
-- probe of the index (instrument_id, ts) for each kind of row; statistics are few.
WITH lost AS (
    SELECT DISTINCT w.instrument_id AS id, now() - make_interval(days => %(days)s) AS since
      FROM ibkeeper.watch w
     WHERE w.sidecar = %(sidecar)s AND w.instrument_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM ibkeeper.quote_latest l
                        WHERE l.instrument_id = w.instrument_id)
), part AS (
    SELECT id, jsonb_build_object('bid', bid, 'bid_size', bid_size, 'ask', ask,
                                  'ask_size', ask_size) AS doc,
           r.ts, r.recv_ts, r.seq, r.epoch, r.provider, r.quality
      FROM lost CROSS JOIN LATERAL (
           SELECT * FROM ibkeeper.quote t WHERE t.instrument_id = id AND t.ts > since
            ORDER BY t.ts DESC, t.seq DESC LIMIT 1) AS r
     UNION ALL
    SELECT id, jsonb_build_object('last', price, 'last_size', size) || CASE source
               WHEN 'last' THEN '{}' ELSE jsonb_build_object('last_ts', r.ts) END,
           r.ts, r.recv_ts, r.seq, r.epoch, r.provider, r.quality
      FROM lost CROSS JOIN unnest(ARRAY['last', 'rt_volume', 'rt_trade_volume', 'tick_by_tick'])
           AS kind(source_wanted) CROSS JOIN LATERAL (
           SELECT * FROM ibkeeper.trade t
            WHERE t.instrument_id = id AND t.ts > since AND t.source = source_wanted
            ORDER BY t.ts DESC, t.seq DESC LIMIT 1) AS r
     UNION ALL
    SELECT id, jsonb_build_object('vwap', vwap),
           r.ts, r.recv_ts, r.seq, r.epoch, r.provider, r.quality
      FROM lost CROSS JOIN LATERAL (
           SELECT * FROM ibkeeper.trade t
            WHERE t.instrument_id = id AND t.ts > since AND t.vwap IS NOT NULL
            ORDER BY t.ts DESC, t.seq DESC LIMIT 1) AS r
     UNION ALL
    SELECT id, CASE WHEN kind IN ('model', 'vendor', 'computed')
               THEN jsonb_build_object('model_iv', iv, 'model_delta', delta, 'model_gamma', gamma,
                        'model_vega', vega, 'model_theta', theta, 'model_price', option_price,
                        'pv_dividend', pv_dividend, 'underlying_price', underlying_price)
               ELSE jsonb_build_object(kind || '_iv', iv) END,
           r.ts, r.recv_ts, r.seq, r.epoch, r.provider, r.quality
      FROM lost CROSS JOIN unnest(ARRAY['model', 'vendor', 'computed', 'bid', 'ask', 'last'])
           AS kinds(wanted)
     CROSS JOIN LATERAL (
           SELECT * FROM ibkeeper.greeks t
            WHERE t.instrument_id = id AND t.ts > since AND t.kind = wanted
            ORDER BY t.ts DESC, t.seq DESC LIMIT 1) AS r
     UNION ALL
    SELECT id, jsonb_build_object(field, coalesce(to_jsonb(value), to_jsonb(text_value))),
           r.ts, r.recv_ts, r.seq, r.epoch, r.provider, r.quality
      FROM lost CROSS JOIN LATERAL (
           SELECT DISTINCT ON (t.field) * FROM ibkeeper.instrument_stat t
            WHERE t.instrument_id = id AND t.ts > since
            ORDER BY t.field, t.ts DESC, t.seq DESC) AS r
), stamp AS (
    SELECT DISTINCT ON (id) id, jsonb_build_object('instrument_id', id, 'ts', ts,
               'recv_ts', recv_ts, 'seq', seq, 'epoch', epoch, 'provider', provider,
               'quality', quality) AS doc
      FROM part ORDER BY id, recv_ts DESC, epoch DESC, seq DESC
), doc AS (
    SELECT id, jsonb_object_agg(key, value ORDER BY recv_ts, epoch, seq) AS doc
      FROM part CROSS JOIN LATERAL jsonb_each(part.doc) GROUP BY id
)
SELECT (jsonb_populate_record(NULL::ibkeeper.quote_latest, doc.doc || stamp.doc)).*
  FROM doc JOIN stamp USING (id);

-- note_feed_minute --
-- Counts are what is new since the last call, so that a restart within the minute adds up.
INSERT INTO ibkeeper.feed_minute AS m
      (minute, sidecar, provider, ticks, rows, batches, latency_p50_ms, latency_p99_ms,
       latency_max_ms, staleness_max_s)
VALUES (%(minute)s, %(sidecar)s, %(provider)s, %(ticks)s, %(rows)s, %(batches)s, %(p50_ms)s,
        %(p99_ms)s, %(max_ms)s, %(staleness_s)s)
    ON CONFLICT (minute, sidecar, provider) DO UPDATE SET
       ticks = m.ticks + excluded.ticks, rows = m.rows + excluded.rows,
       batches = m.batches + excluded.batches,
       latency_p50_ms = coalesce(excluded.latency_p50_ms, m.latency_p50_ms),
       latency_p99_ms = coalesce(excluded.latency_p99_ms, m.latency_p99_ms),
       latency_max_ms = greatest(m.latency_max_ms, excluded.latency_max_ms),
       staleness_max_s = greatest(m.staleness_max_s, excluded.staleness_max_s);

-- watch_rows --
-- The watch list of one sidecar, with the instrument where IB described it today.
SELECT w.id, w.symbol, w.sec_type, w.exchange, w.currency, w.primary_exchange, w.expiry,
       w.strike::float8 AS strike, w."right", w.multiplier, w.trading_class, w.con_id,
       w.generic_ticks, w.priority, w.state,
       i.id AS instrument_id, i.con_id AS known_con_id, i.symbol AS known_symbol,
       i.sec_type AS known_sec_type, i.currency AS known_currency,
       i.primary_exchange AS known_primary_exchange, i.local_symbol AS known_local_symbol,
       i.trading_class AS known_trading_class, i.multiplier AS known_multiplier,
       to_char(i.expiry, 'YYYYMMDD') AS known_expiry, i.strike::float8 AS known_strike,
       i."right" AS known_right, i.trading_hours, i.liquid_hours, i.time_zone
  FROM ibkeeper.watch w
  LEFT JOIN ibkeeper.instrument i
    ON i.id = w.instrument_id AND i.details_at > clock_timestamp() - interval '20 hours'
 WHERE w.sidecar = %(sidecar)s
 ORDER BY w.priority, w.id;

-- watch_qualified --
-- Many lines at once: which instrument each of them is.
UPDATE ibkeeper.watch w
   SET instrument_id = v.instrument_id, changed_at = clock_timestamp()
  FROM unnest(%(ids)s::int[], %(instrument_ids)s::int[]) AS v(id, instrument_id)
 WHERE w.id = v.id AND w.instrument_id IS DISTINCT FROM v.instrument_id;

-- watch_to_pending --
-- The machine goes from any state to any other through pending.
UPDATE ibkeeper.watch w
   SET state = 'pending'
  FROM unnest(%(ids)s::int[], %(states)s::text[]) AS v(id, state)
 WHERE w.id = v.id AND w.state NOT IN ('pending', v.state);

-- watch_to_state --
-- Many lines at once; a line that has not changed is not written.
UPDATE ibkeeper.watch w
   SET state = v.state, reason = v.reason, changed_at = clock_timestamp()
  FROM unnest(%(ids)s::int[], %(states)s::text[], %(reasons)s::text[]) AS v(id, state, reason)
 WHERE w.id = v.id AND (w.state, w.reason) IS DISTINCT FROM (v.state, v.reason);

-- sidecar_start --
-- The lock is held: whatever row an earlier process of this name left is ours now.
INSERT INTO ibkeeper.sidecar AS s (name, epoch, pid, host, version, state, started_at, heartbeat_at,
                                   lines_used, lines_limit)
VALUES (%(name)s, %(epoch)s, %(pid)s, %(host)s, %(version)s, 'starting', clock_timestamp(),
        clock_timestamp(), 0, %(lines_limit)s)
ON CONFLICT (name) DO UPDATE SET
       epoch = EXCLUDED.epoch, pid = EXCLUDED.pid, host = EXCLUDED.host,
       version = EXCLUDED.version, state = EXCLUDED.state, started_at = EXCLUDED.started_at,
       heartbeat_at = EXCLUDED.heartbeat_at, stopped_at = NULL, lines_used = 0,
       lines_limit = EXCLUDED.lines_limit, ticks_total = 0, rows_total = 0, backlog_rows = 0,
       dropped_rows = 0, latency_p50_ms = NULL, latency_p99_ms = NULL;

-- sidecar_beat --
-- No row: another start took this name over.
UPDATE ibkeeper.sidecar
   SET heartbeat_at = clock_timestamp(), state = %(state)s, lines_used = %(lines_used)s,
       ticks_total = %(ticks_total)s, rows_total = %(rows_total)s,
       backlog_rows = %(backlog_rows)s, dropped_rows = %(dropped_rows)s,
       latency_p50_ms = %(latency_p50_ms)s, latency_p99_ms = %(latency_p99_ms)s,
       stopped_at = CASE WHEN %(state)s = 'stopped' THEN clock_timestamp() END
 WHERE name = %(name)s AND epoch = %(epoch)s
RETURNING epoch;

-- sidecar_epoch --
-- Who took the name over, if anybody did.
SELECT epoch FROM ibkeeper.sidecar WHERE name = %(name)s;

-- session_close_orphans --
-- What a killed sidecar left open ended with its last heartbeat. Run it at start, before
-- `sidecar_start` overwrites that heartbeat.
UPDATE ibkeeper.session s
   SET state = 'stopped', close_reason = 'the sidecar was killed',
       closed_at = greatest(s.opened_at, s.ready_at, (SELECT h.heartbeat_at
                                                        FROM ibkeeper.sidecar h
                                                       WHERE h.name = s.sidecar
                                                         AND h.epoch = s.epoch))
 WHERE s.sidecar = %(sidecar)s AND s.epoch < %(epoch)s AND s.state <> 'stopped'
   AND s.closed_at IS NULL;

-- watchlist_add --
-- A line that is there already is left as it is, and no id comes back.
INSERT INTO ibkeeper.watch (sidecar, symbol, sec_type, exchange, currency, primary_exchange,
       expiry, strike, "right", multiplier, trading_class, con_id, generic_ticks, priority)
VALUES (%(sidecar)s, %(symbol)s, %(sec_type)s, %(exchange)s, %(currency)s, %(primary_exchange)s,
       %(expiry)s, %(strike)s, %(right)s, %(multiplier)s, %(trading_class)s, %(con_id)s,
       %(generic_ticks)s, %(priority)s)
ON CONFLICT DO NOTHING RETURNING id;

-- watchlist_remove --
-- By id, or by what a person names; all lines of a symbol when asked.
DELETE FROM ibkeeper.watch
 WHERE sidecar = %(sidecar)s
   AND (id = %(id)s OR (upper(symbol) = upper(%(symbol)s) AND
        (%(all)s OR (sec_type = %(sec_type)s AND expiry = %(expiry)s AND strike = %(strike)s
                     AND "right" = %(right)s))))
RETURNING id, symbol;

-- watchlist_entries --
-- What is asked for, beside what the sidecar made of it.
SELECT w.id, w.sidecar, w.symbol, w.sec_type, w.exchange, w.currency, w.expiry,
       w.strike::float8 AS strike, w."right", w.generic_ticks, w.priority, w.state, w.reason,
       w.changed_at, i.con_id, i.local_symbol
  FROM ibkeeper.watch w LEFT JOIN ibkeeper.instrument i ON i.id = w.instrument_id
 WHERE w.sidecar = %(sidecar)s ORDER BY w.priority, w.id;

-- watchlist_is_empty --
-- The demo fills only a list that no person has touched.
SELECT NOT EXISTS (SELECT FROM ibkeeper.watch WHERE sidecar = %(sidecar)s);

-- stream_end --
-- Where the stream ends now, and up to where the ledger was pruned.
SELECT coalesce((SELECT max(position) FROM ibkeeper.ingest_order), 0) AS position,
       coalesce((SELECT max(position) FROM ibkeeper.ingest_order WHERE batch = 0), 0) AS forgotten;

-- stream_batches --
-- The next batches in the order of their commits: whoever sees a position sees all before it.
SELECT o.position, b.epoch, b.first_seq, b.last_seq, b.rows, b.first_ts, b.last_ts
  FROM ibkeeper.ingest_order o
  JOIN ibkeeper.ingest_batch b USING (spool, batch)
 WHERE o.position >= %(position)s AND (o.position > %(position)s OR b.last_seq > %(seq)s)
 ORDER BY o.position LIMIT %(limit)s;

-- stream_quote --
-- Rows of batches whose seq is unbroken. Planned anew each time: the times lead to the partition,
-- the index and the compressed segment.
SELECT t.ts, t.recv_ts, t.instrument_id, t.seq, t.epoch, t.provider, t.quality, t.tick_type, t.bid,
       t.bid_size, t.ask, t.ask_size
  FROM ibkeeper.quote AS t
 WHERE t.epoch = %(epoch)s AND t.seq BETWEEN %(from_seq)s AND %(to_seq)s
   AND (%(from_ts)s::timestamptz IS NULL OR t.ts >= %(from_ts)s::timestamptz)
   AND (%(to_ts)s::timestamptz IS NULL OR t.ts <= %(to_ts)s::timestamptz)
   AND (%(instruments)s::int[] IS NULL OR t.instrument_id = ANY(%(instruments)s::int[]));

-- stream_trade --
-- Rows of batches whose seq is unbroken. Planned anew each time: the times lead to the partition,
-- the index and the compressed segment.
SELECT t.ts, t.recv_ts, t.instrument_id, t.seq, t.epoch, t.provider, t.quality, t.tick_type, t.source,
       t.price, t.size, t.volume, t.vwap
  FROM ibkeeper.trade AS t
 WHERE t.epoch = %(epoch)s AND t.seq BETWEEN %(from_seq)s AND %(to_seq)s
   AND (%(from_ts)s::timestamptz IS NULL OR t.ts >= %(from_ts)s::timestamptz)
   AND (%(to_ts)s::timestamptz IS NULL OR t.ts <= %(to_ts)s::timestamptz)
   AND (%(instruments)s::int[] IS NULL OR t.instrument_id = ANY(%(instruments)s::int[]));

-- stream_greeks --
-- Rows of batches whose seq is unbroken. Planned anew each time: the times lead to the partition,
-- the index and the compressed segment.
SELECT t.ts, t.recv_ts, t.instrument_id, t.seq, t.epoch, t.provider, t.quality, t.kind, t.iv,
       t.delta, t.gamma, t.vega, t.theta, t.option_price, t.pv_dividend, t.underlying_price,
       t.price_based
  FROM ibkeeper.greeks AS t
 WHERE t.epoch = %(epoch)s AND t.seq BETWEEN %(from_seq)s AND %(to_seq)s
   AND (%(from_ts)s::timestamptz IS NULL OR t.ts >= %(from_ts)s::timestamptz)
   AND (%(to_ts)s::timestamptz IS NULL OR t.ts <= %(to_ts)s::timestamptz)
   AND (%(instruments)s::int[] IS NULL OR t.instrument_id = ANY(%(instruments)s::int[]));

-- stream_instrument_stat --
-- Rows of batches whose seq is unbroken. Planned anew each time: the times lead to the partition,
-- the index and the compressed segment.
SELECT t.ts, t.recv_ts, t.instrument_id, t.seq, t.epoch, t.provider, t.quality, t.tick_type, t.field,
       t.value, t.text_value
  FROM ibkeeper.instrument_stat AS t
 WHERE t.epoch = %(epoch)s AND t.seq BETWEEN %(from_seq)s AND %(to_seq)s
   AND (%(from_ts)s::timestamptz IS NULL OR t.ts >= %(from_ts)s::timestamptz)
   AND (%(to_ts)s::timestamptz IS NULL OR t.ts <= %(to_ts)s::timestamptz)
   AND (%(instruments)s::int[] IS NULL OR t.instrument_id = ANY(%(instruments)s::int[]));

-- open_incident --
-- In the transaction of the fact it tells of; the same open key is seen again, not opened twice.
SELECT ibkeeper.open_incident(%(key)s, %(kind)s, %(severity)s, %(summary)s, %(opened_by)s,
                              %(detail)s::jsonb) AS id;

-- retell_incident --
-- The same for what is told again when it happens again; see the function for how often.
SELECT ibkeeper.retell_incident(%(key)s, %(kind)s, %(severity)s, %(summary)s, %(opened_by)s,
                                %(detail)s::jsonb) AS id;

-- close_incident --
-- Nothing to close is no error: whoever sees the good end need not know whether it was told.
SELECT ibkeeper.close_incident(%(key)s, %(reason)s) AS closed;

-- instrument_names --
-- What other systems call the instruments of a page; asked once for each.
SELECT id, symbol, sec_type, coalesce(local_symbol, symbol) AS local_symbol
  FROM ibkeeper.instrument WHERE id = ANY(%(ids)s::int[]);

-- sink_latest --
-- What a cache beside the database begins with.
SELECT l.*, i.symbol, coalesce(i.local_symbol, i.symbol) AS local_symbol
  FROM ibkeeper.quote_latest l JOIN ibkeeper.instrument i ON i.id = l.instrument_id;

-- sink_look --
-- Where a sink without a memory of its own goes on.
SELECT cursor FROM ibkeeper.sink WHERE name = %(name)s;

-- sink_note --
-- Every second: `published` is what is new since the last time.
INSERT INTO ibkeeper.sink AS s (name, cursor, published, newest_ts, error)
VALUES (%(name)s, %(cursor)s, %(published)s, %(newest_ts)s, %(error)s)
    ON CONFLICT (name) DO UPDATE SET
       cursor = coalesce(excluded.cursor, s.cursor), published = s.published + excluded.published,
       newest_ts = coalesce(excluded.newest_ts, s.newest_ts), error = excluded.error,
       noted_at = clock_timestamp();

-- sink_states --
-- How far each sink is behind the newest commit.
SELECT s.name, s.published, s.error, extract(epoch FROM now() - s.noted_at)::float8 AS silent_s,
       extract(epoch FROM (SELECT max(heartbeat_at) FROM ibkeeper.sidecar) - s.newest_ts)::float8
           AS behind_s
  FROM ibkeeper.sink s ORDER BY s.name;
