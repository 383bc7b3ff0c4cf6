-- What IB still had of a gap. Tables of their own: nothing that reads `quote` or `trade` can take a
-- backfilled row for a live one, and the numbers of the spools stay unbroken.

CREATE TABLE ibkeeper.gap_fill (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    sidecar text NOT NULL,
    instrument_id int NOT NULL,
    cause text NOT NULL,
    from_ts timestamptz NOT NULL,
    to_ts timestamptz NOT NULL,
    state text NOT NULL,
    source text NOT NULL,
    quotes int DEFAULT 0 NOT NULL,
    trades int DEFAULT 0 NOT NULL,
    bars int DEFAULT 0 NOT NULL,
    reason text,
    request_id uuid NOT NULL,
    filled_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT gap_fill_once UNIQUE (sidecar, instrument_id, from_ts, to_ts),
    CONSTRAINT gap_fill_state_known CHECK (
        state IN ('filled', 'partial', 'empty', 'unfillable')
    ),
    CONSTRAINT gap_fill_source_known CHECK (source IN ('ticks', 'bars')),
    CONSTRAINT gap_fill_ends_after_it_begins CHECK (to_ts >= from_ts),
    CONSTRAINT gap_fill_has_reason CHECK (
        reason IS NOT NULL OR state NOT IN ('partial', 'unfillable')
    ),
    CONSTRAINT gap_fill_rows_not_negative CHECK (quotes >= 0 AND trades >= 0 AND bars >= 0)
);
COMMENT ON TABLE ibkeeper.gap_fill IS 'What became of each instrument of a gap when IB was asked for its history; one row each, written once.';
COMMENT ON COLUMN ibkeeper.gap_fill.id IS 'Given by the database.';
COMMENT ON COLUMN ibkeeper.gap_fill.sidecar IS 'Sidecar whose gap it is.';
COMMENT ON COLUMN ibkeeper.gap_fill.instrument_id IS 'instrument.id.';
COMMENT ON COLUMN ibkeeper.gap_fill.cause IS 'Cause of the gap, as v_gap says it.';
COMMENT ON COLUMN ibkeeper.gap_fill.from_ts IS 'Begin of the gap, as v_gap says it.';
COMMENT ON COLUMN ibkeeper.gap_fill.to_ts IS 'End of the gap.';
COMMENT ON COLUMN ibkeeper.gap_fill.state IS 'filled, partial, empty (nothing happened, says IB) or unfillable.';
COMMENT ON COLUMN ibkeeper.gap_fill.source IS 'What was asked for: ticks or bars.';
COMMENT ON COLUMN ibkeeper.gap_fill.quotes IS 'Rows of backfill_quote.';
COMMENT ON COLUMN ibkeeper.gap_fill.trades IS 'Rows of backfill_trade.';
COMMENT ON COLUMN ibkeeper.gap_fill.bars IS 'Rows of backfill_bar.';
COMMENT ON COLUMN ibkeeper.gap_fill.reason IS 'Why it is not all of it, for a person.';
COMMENT ON COLUMN ibkeeper.gap_fill.request_id IS 'The request that asked for it.';
COMMENT ON COLUMN ibkeeper.gap_fill.filled_at IS 'When it was stored.';

CREATE TABLE ibkeeper.backfill_quote (
    instrument_id int NOT NULL,
    ts timestamptz NOT NULL,
    fill_id uuid NOT NULL,
    place int NOT NULL,
    bid float8,
    bid_size float8,
    ask float8,
    ask_size float8,
    PRIMARY KEY (instrument_id, ts, fill_id, place),
    FOREIGN KEY(fill_id) REFERENCES ibkeeper.gap_fill (id)
);
COMMENT ON TABLE ibkeeper.backfill_quote IS 'Bid and ask that IB''s history had of a gap; never live.';
COMMENT ON COLUMN ibkeeper.backfill_quote.instrument_id IS 'instrument.id.';
COMMENT ON COLUMN ibkeeper.backfill_quote.ts IS 'IB''s time of the tick, a whole second.';
COMMENT ON COLUMN ibkeeper.backfill_quote.fill_id IS 'gap_fill.id.';
COMMENT ON COLUMN ibkeeper.backfill_quote.place IS 'Order within the fill: several share a second.';
COMMENT ON COLUMN ibkeeper.backfill_quote.bid IS 'Best bid, in the instrument''s currency; NULL: none.';
COMMENT ON COLUMN ibkeeper.backfill_quote.bid_size IS 'Size at the bid, in shares or contracts.';
COMMENT ON COLUMN ibkeeper.backfill_quote.ask IS 'Best ask, in the instrument''s currency; NULL: none.';
COMMENT ON COLUMN ibkeeper.backfill_quote.ask_size IS 'Size at the ask, in shares or contracts.';

CREATE TABLE ibkeeper.backfill_trade (
    instrument_id int NOT NULL,
    ts timestamptz NOT NULL,
    fill_id uuid NOT NULL,
    place int NOT NULL,
    price float8 NOT NULL,
    size float8,
    exchange text,
    conditions text,
    PRIMARY KEY (instrument_id, ts, fill_id, place),
    FOREIGN KEY(fill_id) REFERENCES ibkeeper.gap_fill (id)
);
COMMENT ON TABLE ibkeeper.backfill_trade IS 'Prints that IB''s history had of a gap; never live.';
COMMENT ON COLUMN ibkeeper.backfill_trade.instrument_id IS 'instrument.id.';
COMMENT ON COLUMN ibkeeper.backfill_trade.ts IS 'IB''s time of the print, a whole second.';
COMMENT ON COLUMN ibkeeper.backfill_trade.fill_id IS 'gap_fill.id.';
COMMENT ON COLUMN ibkeeper.backfill_trade.place IS 'Order within the fill: several share a second.';
COMMENT ON COLUMN ibkeeper.backfill_trade.price IS 'Price of the print, in the instrument''s currency.';
COMMENT ON COLUMN ibkeeper.backfill_trade.size IS 'Size of the print, in shares or contracts.';
COMMENT ON COLUMN ibkeeper.backfill_trade.exchange IS 'Where it was traded.';
COMMENT ON COLUMN ibkeeper.backfill_trade.conditions IS 'Special conditions, as IB writes them.';

CREATE TABLE ibkeeper.backfill_bar (
    instrument_id int NOT NULL,
    ts timestamptz NOT NULL,
    kind text NOT NULL,
    fill_id uuid NOT NULL,
    open float8 NOT NULL,
    high float8 NOT NULL,
    low float8 NOT NULL,
    close float8 NOT NULL,
    volume float8,
    vwap float8,
    trades int,
    PRIMARY KEY (instrument_id, ts, kind, fill_id),
    FOREIGN KEY(fill_id) REFERENCES ibkeeper.gap_fill (id),
    CONSTRAINT backfill_bar_kind_known CHECK (kind IN ('trades', 'midpoint'))
);
COMMENT ON TABLE ibkeeper.backfill_bar IS 'One-minute bars that IB''s history had of a long gap; never live.';
COMMENT ON COLUMN ibkeeper.backfill_bar.instrument_id IS 'instrument.id.';
COMMENT ON COLUMN ibkeeper.backfill_bar.ts IS 'Start of the minute.';
COMMENT ON COLUMN ibkeeper.backfill_bar.kind IS 'What it is made of: trades or midpoint.';
COMMENT ON COLUMN ibkeeper.backfill_bar.fill_id IS 'gap_fill.id.';
COMMENT ON COLUMN ibkeeper.backfill_bar.open IS 'First price.';
COMMENT ON COLUMN ibkeeper.backfill_bar.high IS 'Highest price.';
COMMENT ON COLUMN ibkeeper.backfill_bar.low IS 'Lowest price.';
COMMENT ON COLUMN ibkeeper.backfill_bar.close IS 'Last price.';
COMMENT ON COLUMN ibkeeper.backfill_bar.volume IS 'Shares or contracts; NULL: not of this kind.';
COMMENT ON COLUMN ibkeeper.backfill_bar.vwap IS 'Volume-weighted mean price; NULL: not of this kind.';
COMMENT ON COLUMN ibkeeper.backfill_bar.trades IS 'Prints; NULL: not of this kind.';

DO $$
DECLARE
    written_once text;
BEGIN
    FOREACH written_once IN ARRAY ARRAY['gap_fill', 'backfill_quote', 'backfill_trade',
        'backfill_bar'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON ibkeeper.%I
            FOR EACH ROW EXECUTE FUNCTION ibkeeper.guard_written_once()',
            written_once || '_append_only', written_once);
    END LOOP;
END $$;

CREATE VIEW ibkeeper.v_quote_filled AS
SELECT ts, instrument_id, bid, bid_size, ask, ask_size, provider, quality, false AS backfilled
  FROM ibkeeper.quote
 UNION ALL
SELECT ts, instrument_id, bid, bid_size, ask, ask_size, 'ib', NULL, true
  FROM ibkeeper.backfill_quote;
COMMENT ON VIEW ibkeeper.v_quote_filled IS 'Quotes with what was backfilled between them; backfilled says which is which.';

CREATE VIEW ibkeeper.v_trade_filled AS
SELECT ts, instrument_id, price, size, source, provider, quality, false AS backfilled
  FROM ibkeeper.trade
 UNION ALL
SELECT ts, instrument_id, price, size, NULL, 'ib', NULL, true
  FROM ibkeeper.backfill_trade;
COMMENT ON VIEW ibkeeper.v_trade_filled IS 'Prints with what was backfilled between them; backfilled says which is which.';

-- A wanted line that IB refuses, or for which no line is free, is a gap from when the watch list
-- says so until it says otherwise: told by a trigger, so that no crash can leave it unwritten.

ALTER TABLE ibkeeper.feed_gap DROP CONSTRAINT feed_gap_cause_known;
ALTER TABLE ibkeeper.feed_gap ADD CONSTRAINT feed_gap_cause_known CHECK (
    cause IN ('spool_full', 'memory_full', 'batch_damaged', 'spool_damaged', 'batch_refused',
              'line_refused', 'over_budget')
);
CREATE INDEX feed_gap_open_line_idx ON ibkeeper.feed_gap (sidecar, instrument_id) WHERE to_ts IS NULL;

CREATE FUNCTION ibkeeper.watch_gap() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    why text := CASE WHEN TG_OP = 'DELETE' THEN NULL
                     WHEN NEW.state = 'failed' THEN 'line_refused'
                     WHEN NEW.state = 'over_budget' THEN 'over_budget' END;
BEGIN
    -- Pending is the way between two states: nothing has changed yet, but for another instrument.
    IF TG_OP = 'UPDATE' AND NEW.state = 'pending'
       AND NEW.instrument_id IS NOT DISTINCT FROM OLD.instrument_id THEN
        RETURN NULL;
    END IF;
    -- Two rows may ask for one instrument: what one of them streams is no gap.
    IF why IS NOT NULL AND EXISTS (
        SELECT FROM ibkeeper.watch w
         WHERE w.sidecar = NEW.sidecar AND w.instrument_id = NEW.instrument_id
           AND w.id <> NEW.id AND w.state = 'active') THEN
        RETURN NULL;
    END IF;
    UPDATE ibkeeper.feed_gap g
       SET to_ts = greatest(clock_timestamp(), g.from_ts)
     WHERE g.sidecar = OLD.sidecar AND g.instrument_id = OLD.instrument_id AND g.to_ts IS NULL
       AND g.cause IN ('line_refused', 'over_budget')
       AND (g.cause IS DISTINCT FROM why OR NEW.instrument_id IS DISTINCT FROM OLD.instrument_id);
    INSERT INTO ibkeeper.feed_gap (id, sidecar, epoch, instrument_id, cause, from_ts, detail)
    SELECT gen_random_uuid(), NEW.sidecar,
           coalesce((SELECT s.epoch FROM ibkeeper.sidecar s WHERE s.name = NEW.sidecar), 0),
           NEW.instrument_id, why, clock_timestamp(), NEW.reason
     WHERE why IS NOT NULL AND NEW.instrument_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM ibkeeper.feed_gap g
                        WHERE g.sidecar = NEW.sidecar AND g.instrument_id = NEW.instrument_id
                          AND g.to_ts IS NULL AND g.cause = why);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION ibkeeper.watch_gap IS 'Opens and closes the gap of a line that is wanted and not streamed.';
CREATE TRIGGER watch_gap AFTER UPDATE OF state, instrument_id OR DELETE ON ibkeeper.watch
    FOR EACH ROW EXECUTE FUNCTION ibkeeper.watch_gap();

-- As before (migrations/gap), with what was filled since.
DROP VIEW ibkeeper.v_gap;
CREATE VIEW ibkeeper.v_gap AS
WITH stream AS (
    SELECT s.sidecar, s.epoch, s.close_reason,
           -- A session that nobody closed ended with the last heartbeat of its start.
           coalesce(s.closed_at, CASE WHEN h.epoch <> s.epoch THEN s.ready_at
                                      WHEN h.heartbeat_at < now() - interval '10 seconds'
                                      THEN greatest(h.heartbeat_at, s.ready_at) END) AS ended_at,
           lead(s.ready_at) OVER following AS next_at,
           coalesce(lead(s.epoch) OVER following, h.epoch, s.epoch) AS next_epoch,
           h.state = 'stopped' OR h.heartbeat_at < now() - interval '10 seconds' AS is_down
      FROM ibkeeper.session s
      LEFT JOIN ibkeeper.sidecar h ON h.name = s.sidecar
     WHERE s.role = 'stream' AND s.ready_at IS NOT NULL
    WINDOW following AS (PARTITION BY s.sidecar ORDER BY s.ready_at, s.id)
), known AS (
    SELECT NULL::uuid AS id, sidecar, epoch, NULL::int AS instrument_id,
           CASE WHEN next_epoch <> epoch OR (next_at IS NULL AND is_down) THEN 'sidecar_down'
                ELSE 'session_lost' END AS cause,
           ended_at AS from_ts, next_at AS to_ts, NULL::bigint AS rows, close_reason AS detail,
           NULL::text AS filled_by, NULL::timestamptz AS filled_at
      FROM stream
     WHERE ended_at IS NOT NULL AND (next_at IS NULL OR next_at > ended_at)
     UNION ALL
    SELECT id, sidecar, epoch, instrument_id, cause, from_ts, to_ts, rows, detail, filled_by,
           filled_at
      FROM ibkeeper.feed_gap
)
SELECT k.id, k.sidecar, k.epoch, k.instrument_id, k.cause, k.from_ts, k.to_ts, k.rows, k.detail,
       coalesce(k.filled_by, CASE WHEN f.filled > 0 THEN 'gap-backfill' END) AS filled_by,
       coalesce(k.filled_at, CASE WHEN f.filled > 0 THEN f.at END) AS filled_at,
       extract(epoch FROM coalesce(k.to_ts, now()) - k.from_ts)::float8 AS seconds,
       f.filled AS instruments_filled, f.unfillable AS instruments_unfillable
  FROM known k
 CROSS JOIN LATERAL (
       SELECT count(*) FILTER (WHERE g.state <> 'unfillable') AS filled,
              count(*) FILTER (WHERE g.state IN ('partial', 'unfillable')) AS unfillable,
              max(g.filled_at) AS at
         FROM ibkeeper.gap_fill g
        WHERE g.sidecar = k.sidecar AND g.from_ts = k.from_ts AND g.to_ts = k.to_ts
          AND (k.instrument_id IS NULL OR g.instrument_id = k.instrument_id)) AS f;
COMMENT ON VIEW ibkeeper.v_gap IS
    'What was not recorded, and why: lost rows, lines that are not streamed, and times without a ready stream session. to_ts NULL: still open. What was filled since: gap_fill.';
