-- Chains: what is listed, and snapshots.

-- chain_snapshot_insert --
-- In the transaction that completes the request: there is no snapshot of a failed one.
INSERT INTO ibkeeper.chain_snapshot (
       request_id, underlying_id, taken_at, exchange, trading_class, spot, expected, complete,
       partial, missing, seconds, quality, params, forward, rate, messages, floor_s, efficiency)
VALUES (%(request_id)s, %(underlying_id)s, clock_timestamp(), %(exchange)s, %(trading_class)s,
       %(spot)s, %(expected)s, %(complete)s, %(partial)s, %(missing)s, %(seconds)s, %(quality)s,
       %(params)s::jsonb, %(forward)s, %(rate)s, %(messages)s, %(floor_s)s, %(efficiency)s)
RETURNING id;

-- chain_quote_insert --
-- executemany sends these in one pipeline; a chain is too small for COPY to matter.
INSERT INTO ibkeeper.chain_quote (
       snapshot_id, instrument_id, expiry, strike, "right", state, missing_fields, bid, bid_size,
       ask, ask_size, last, last_size, volume, open_interest, iv, delta, gamma, vega, theta,
       option_price, underlying_price, quality, recv_ts, mid, own_iv, own_delta, own_gamma,
       own_vega, own_theta, iv_difference, error_code)
VALUES (%(snapshot_id)s, %(instrument_id)s, %(expiry)s, %(strike)s, %(right)s, %(state)s,
       %(missing_fields)s, %(bid)s, %(bid_size)s, %(ask)s, %(ask_size)s, %(last)s, %(last_size)s,
       %(volume)s, %(open_interest)s, %(iv)s, %(delta)s, %(gamma)s, %(vega)s, %(theta)s,
       %(option_price)s, %(underlying_price)s, %(quality)s, %(recv_ts)s, %(mid)s, %(own_iv)s,
       %(own_delta)s, %(own_gamma)s, %(own_vega)s, %(own_theta)s, %(iv_difference)s,
       %(error_code)s);

-- chain_expiry_insert --
-- One row an expiry.
INSERT INTO ibkeeper.chain_expiry (snapshot_id, expiry, years, forward, rate, pairs)
VALUES (%(snapshot_id)s, %(expiry)s, %(years)s, %(forward)s, %(rate)s, %(pairs)s);

-- chain_quotes --
-- The snapshot as a person reads it.
SELECT expiry, strike, "right", state, bid, ask, mid, last, iv, own_iv, iv_difference, delta,
       gamma, vega, theta, volume, open_interest, missing_fields
  FROM ibkeeper.chain_quote
 WHERE snapshot_id = %(snapshot_id)s
 ORDER BY expiry, strike, "right";

-- chain_smile --
-- What the plot of a snapshot shows.
SELECT expiry, years, forward, strike::float8 AS strike, log_moneyness, iv, own_iv
  FROM ibkeeper.v_chain_smile WHERE snapshot_id = %(snapshot_id)s ORDER BY expiry, strike;

-- chain_export --
-- Everything of a snapshot, as a table for other programs.
SELECT u.symbol AS underlying, s.taken_at, s.spot, e.forward, e.rate, i.local_symbol, i.con_id,
       q.*
  FROM ibkeeper.chain_quote q
  JOIN ibkeeper.chain_snapshot s ON s.id = q.snapshot_id
  JOIN ibkeeper.instrument u ON u.id = s.underlying_id
  JOIN ibkeeper.instrument i ON i.id = q.instrument_id
  LEFT JOIN ibkeeper.chain_expiry e ON e.snapshot_id = q.snapshot_id AND e.expiry = q.expiry
 WHERE q.snapshot_id = %(snapshot_id)s
 ORDER BY q.expiry, q.strike, q."right";

-- chain_listed --
-- What IB listed today already; an expiry without contracts is a row without a contract.
SELECT to_char(l.expiry, 'YYYYMMDD') AS listed_expiry, l."right" AS listed_right, i.id, i.con_id,
       i.symbol, i.sec_type, i.strike::float8 AS strike, i."right", i.multiplier, i.currency,
       i.local_symbol, i.trading_class
  FROM ibkeeper.chain_listing l
  LEFT JOIN ibkeeper.instrument i
    ON i.underlying_con_id = l.underlying_con_id AND i.trading_class = l.trading_class
   AND i.expiry = l.expiry AND i."right" = l."right" AND i.strike = ANY(l.strikes)
 WHERE l.underlying_con_id = %(underlying_con_id)s AND l.trading_class = %(trading_class)s
   AND l.exchange = %(exchange)s AND l.listed_on = %(listed_on)s
   AND l.params_hash = %(params_hash)s AND l.expiry = ANY(%(expiries)s::date[]);

-- chain_listing_upsert --
-- Compared with the day before that was asked: what is new, and what is gone.
WITH asked AS (
    SELECT ARRAY(SELECT unnest(%(strikes)s::numeric[]) ORDER BY 1) AS strikes
), before AS (
    SELECT strikes FROM ibkeeper.chain_listing
     WHERE underlying_con_id = %(underlying_con_id)s AND trading_class = %(trading_class)s
       AND exchange = %(exchange)s AND expiry = %(expiry)s AND "right" = %(right)s
       AND listed_on < %(listed_on)s
     ORDER BY listed_on DESC LIMIT 1
), change AS (
    SELECT ARRAY(SELECT unnest(a.strikes) EXCEPT SELECT unnest(b.strikes) ORDER BY 1) AS added,
           ARRAY(SELECT unnest(b.strikes) EXCEPT SELECT unnest(a.strikes) ORDER BY 1) AS delisted
      FROM asked a CROSS JOIN before b
)
INSERT INTO ibkeeper.chain_listing (underlying_con_id, trading_class, exchange, expiry, "right",
                                    listed_on, strikes, added, delisted, params_hash)
SELECT %(underlying_con_id)s, %(trading_class)s, %(exchange)s, %(expiry)s, %(right)s,
       %(listed_on)s, asked.strikes, change.added, change.delisted, %(params_hash)s
  FROM asked LEFT JOIN change ON true
    ON CONFLICT (underlying_con_id, trading_class, exchange, expiry, "right", listed_on)
    DO UPDATE SET strikes = excluded.strikes, added = excluded.added,
       delisted = excluded.delisted, params_hash = excluded.params_hash,
       asked_at = clock_timestamp();
