-- What a chain says, one view a question. All are of every snapshot: choose one by snapshot_id.

CREATE VIEW ibkeeper.v_chain_smile AS
SELECT q.snapshot_id, s.taken_at, u.symbol, s.trading_class, q.expiry, e.years, e.forward, q.strike,
       ln(q.strike::float8 / e.forward) AS log_moneyness,
       -- Out of the money: there the price is all time value.
       (array_agg(coalesce(q.iv, q.own_iv) ORDER BY (q."right" = 'C') = (q.strike >= e.forward) DESC))[1] AS iv,
       (array_agg(q.own_iv ORDER BY (q."right" = 'C') = (q.strike >= e.forward) DESC))[1] AS own_iv,
       max(q.delta) FILTER (WHERE q."right" = 'C') AS call_delta,
       max(q.delta) FILTER (WHERE q."right" = 'P') AS put_delta
  FROM ibkeeper.chain_quote q
  JOIN ibkeeper.chain_snapshot s ON s.id = q.snapshot_id
  JOIN ibkeeper.instrument u ON u.id = s.underlying_id
  JOIN ibkeeper.chain_expiry e ON e.snapshot_id = q.snapshot_id AND e.expiry = q.expiry
 WHERE q.iv IS NOT NULL OR q.own_iv IS NOT NULL
 GROUP BY q.snapshot_id, s.taken_at, u.symbol, s.trading_class, q.expiry, e.years, e.forward, q.strike;
COMMENT ON VIEW ibkeeper.v_chain_smile IS 'Volatility by strike: of the option out of the money, IB''s where there is one.';

CREATE VIEW ibkeeper.v_chain_term AS
SELECT DISTINCT ON (snapshot_id, expiry) snapshot_id, taken_at, symbol, trading_class, expiry, years, forward,
       strike AS atm_strike, iv AS atm_iv
  FROM ibkeeper.v_chain_smile ORDER BY snapshot_id, expiry, abs(log_moneyness), strike;
COMMENT ON VIEW ibkeeper.v_chain_term IS 'Term structure: the volatility at the strike nearest to the forward, by expiry.';

CREATE VIEW ibkeeper.v_chain_skew AS
WITH wing AS (
    SELECT q.snapshot_id, q.expiry, q."right", coalesce(q.iv, q.own_iv) AS iv,
           coalesce(q.delta, q.own_delta) AS delta, q.strike,
           row_number() OVER (PARTITION BY q.snapshot_id, q.expiry, q."right"
                              ORDER BY abs(abs(coalesce(q.delta, q.own_delta)) - 0.25), q.strike) AS nth
      FROM ibkeeper.chain_quote q
     WHERE coalesce(q.iv, q.own_iv) IS NOT NULL AND coalesce(q.delta, q.own_delta) IS NOT NULL
)
SELECT p.snapshot_id, t.taken_at, t.symbol, t.trading_class, p.expiry, p.strike AS put_strike, p.delta AS put_delta,
       p.iv AS put_iv, c.strike AS call_strike, c.delta AS call_delta, c.iv AS call_iv, t.atm_iv,
       p.iv - c.iv AS risk_reversal, (p.iv + c.iv) / 2 - t.atm_iv AS butterfly
  FROM wing p
  JOIN wing c ON c.snapshot_id = p.snapshot_id AND c.expiry = p.expiry AND c."right" = 'C' AND c.nth = 1
  JOIN ibkeeper.v_chain_term t ON t.snapshot_id = p.snapshot_id AND t.expiry = p.expiry
 WHERE p."right" = 'P' AND p.nth = 1;
COMMENT ON VIEW ibkeeper.v_chain_skew IS 'The options nearest to 25 delta: what puts cost above calls, and both above the money.';

CREATE VIEW ibkeeper.v_chain_open_interest AS
SELECT snapshot_id, expiry, sum(open_interest) FILTER (WHERE "right" = 'C') AS call_open_interest,
       sum(open_interest) FILTER (WHERE "right" = 'P') AS put_open_interest,
       sum(open_interest) FILTER (WHERE "right" = 'P')
           / nullif(sum(open_interest) FILTER (WHERE "right" = 'C'), 0) AS put_call_open_interest,
       sum(volume) FILTER (WHERE "right" = 'C') AS call_volume,
       sum(volume) FILTER (WHERE "right" = 'P') AS put_volume,
       sum(volume) FILTER (WHERE "right" = 'P')
           / nullif(sum(volume) FILTER (WHERE "right" = 'C'), 0) AS put_call_volume
  FROM ibkeeper.chain_quote GROUP BY snapshot_id, expiry;
COMMENT ON VIEW ibkeeper.v_chain_open_interest IS 'Open interest and volume of puts and calls, by expiry; contracts.';

CREATE VIEW ibkeeper.v_chain_max_pain AS
WITH pain AS (
    SELECT k.snapshot_id, k.expiry, k.strike,
           sum(q.open_interest * greatest(0, CASE q."right" WHEN 'C' THEN k.strike - q.strike
                                                  ELSE q.strike - k.strike END)) AS paid
      FROM (SELECT DISTINCT snapshot_id, expiry, strike FROM ibkeeper.chain_quote) k
      JOIN ibkeeper.chain_quote q USING (snapshot_id, expiry)
     WHERE q.open_interest IS NOT NULL
     GROUP BY k.snapshot_id, k.expiry, k.strike
)
SELECT DISTINCT ON (snapshot_id, expiry) snapshot_id, expiry, strike AS max_pain, paid AS paid_per_multiplier
  FROM pain ORDER BY snapshot_id, expiry, paid, strike;
COMMENT ON VIEW ibkeeper.v_chain_max_pain IS 'The strike at which open options would pay their holders least, by expiry.';

CREATE VIEW ibkeeper.v_chain_gamma AS
SELECT q.snapshot_id, s.taken_at, q.expiry, q.strike,
       -- Dealers long calls and short puts: the usual convention, an assumption.
       sum(CASE q."right" WHEN 'C' THEN 1 ELSE -1 END * coalesce(q.gamma, q.own_gamma) * q.open_interest
           * coalesce(nullif(i.multiplier, '')::float8, 100) * s.spot ^ 2 * 0.01) AS gamma_exposure
  FROM ibkeeper.chain_quote q
  JOIN ibkeeper.chain_snapshot s ON s.id = q.snapshot_id
  JOIN ibkeeper.instrument i ON i.id = q.instrument_id
 WHERE coalesce(q.gamma, q.own_gamma) IS NOT NULL AND q.open_interest IS NOT NULL
 GROUP BY q.snapshot_id, s.taken_at, q.expiry, q.strike;
COMMENT ON VIEW ibkeeper.v_chain_gamma IS 'Gamma exposure by strike, in currency for a move of 1 %; calls count for, puts against.';

CREATE VIEW ibkeeper.v_chain_change AS
WITH ordered AS (
    SELECT id, lag(id) OVER (PARTITION BY underlying_id, trading_class ORDER BY taken_at, id) AS before_id
      FROM ibkeeper.chain_snapshot
)
SELECT o.id AS snapshot_id, o.before_id, q.instrument_id, q.expiry, q.strike, q."right", q.state,
       p.state AS state_before, q.mid - p.mid AS mid_change,
       coalesce(q.iv, q.own_iv) - coalesce(p.iv, p.own_iv) AS iv_change,
       q.open_interest - p.open_interest AS open_interest_change,
       q.volume - p.volume AS volume_change
  FROM ordered o
  JOIN ibkeeper.chain_quote q ON q.snapshot_id = o.id
  JOIN ibkeeper.chain_quote p ON p.snapshot_id = o.before_id AND p.instrument_id = q.instrument_id;
COMMENT ON VIEW ibkeeper.v_chain_change IS 'What changed since the snapshot before of the same underlying and class, by contract.';
