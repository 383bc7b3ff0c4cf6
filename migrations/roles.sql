-- Who may do what. Applied after every migration, as often as one likes: grants are no history.
-- Where the migrating login may not make roles nothing is made, and everything belongs to it.

DO $$
DECLARE
    may boolean := (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user);
    super boolean := (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);
    made record;
BEGIN
    FOR made IN VALUES ('ibkeeper_owner', 'NOLOGIN'), ('ibkeeper_writer', 'LOGIN'),
        ('ibkeeper_orders', 'LOGIN'), ('ibkeeper_flows', 'LOGIN'), ('ibkeeper_reader', 'LOGIN') LOOP
        CONTINUE WHEN NOT may OR EXISTS (SELECT FROM pg_roles WHERE rolname = made.column1);
        -- A login without a password: nobody comes in until somebody gives it one.
        EXECUTE format('CREATE ROLE %I %s', made.column1, made.column2);
        IF NOT super THEN
            EXECUTE format('GRANT %I TO %I', made.column1, current_user);
        END IF;
        IF made.column1 = 'ibkeeper_reader' THEN
            ALTER ROLE ibkeeper_reader SET statement_timeout = '30s';
            ALTER ROLE ibkeeper_reader SET idle_in_transaction_session_timeout = '60s';
            ALTER ROLE ibkeeper_reader SET default_transaction_read_only = on;
            ALTER ROLE ibkeeper_reader SET search_path = ibkeeper, public;
        END IF;
    END LOOP;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    -- Roles are of the whole server: another database was migrated at the same moment.
    RAISE NOTICE 'the roles were just made by somebody else';
END $$;

-- Everything belongs to a role that nobody can log in as. Not under TimescaleDB: the owner of its
-- background jobs must be able to log in.
DO $$
DECLARE
    thing record;
BEGIN
    IF ibkeeper.has_timescale()
        OR NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ibkeeper_owner')
        OR NOT pg_has_role('ibkeeper_owner', 'MEMBER') THEN
        RETURN;
    END IF;
    GRANT USAGE, CREATE ON SCHEMA ibkeeper TO ibkeeper_owner;
    FOR thing IN
        SELECT format('ALTER %s ibkeeper.%I OWNER TO ibkeeper_owner',
                      CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                      c.relname) AS statement
          FROM pg_class c
         WHERE c.relnamespace = 'ibkeeper'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
           AND pg_get_userbyid(c.relowner) <> 'ibkeeper_owner'
           -- The sequence of an identity column follows its table.
           AND NOT EXISTS (SELECT FROM pg_depend d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                              AND c.relkind = 'S' AND d.deptype IN ('a', 'i'))
         UNION ALL
        SELECT format('ALTER FUNCTION %s OWNER TO ibkeeper_owner', p.oid::regprocedure)
          FROM pg_proc p
         WHERE p.pronamespace = 'ibkeeper'::regnamespace
           AND pg_get_userbyid(p.proowner) <> 'ibkeeper_owner'
    LOOP
        EXECUTE thing.statement;
    END LOOP;
END $$;

-- Functions do nothing that their caller may not do, but for upkeep's, which act as the owner.
DO $$
DECLARE
    who text;
    upkeep text;
BEGIN
    REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ibkeeper FROM PUBLIC;
    FOREACH who IN ARRAY ARRAY['writer', 'orders', 'flows', 'reader'] LOOP
        who := 'ibkeeper_' || who;
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA ibkeeper FROM %I', who);
        EXECUTE format('GRANT USAGE ON SCHEMA ibkeeper TO %I', who);
        EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ibkeeper TO %I', who);
        CONTINUE WHEN who = 'ibkeeper_flows';
        FOREACH upkeep IN ARRAY ARRAY['settle_strays(text, date)', 'close_day(date)',
            'drop_day(text, date, int)', 'prune_ledger(int)', 'prune_backfill(int)',
            'apply_policies(int, int)'] LOOP
            -- An older schema, which the migrations pass through, does not have them all.
            CONTINUE WHEN to_regprocedure('ibkeeper.' || upkeep) IS NULL;
            EXECUTE format('REVOKE EXECUTE ON FUNCTION ibkeeper.%s FROM %I', upkeep, who);
        END LOOP;
        IF who <> 'ibkeeper_writer' THEN
            EXECUTE format(
                'REVOKE EXECUTE ON FUNCTION ibkeeper.ensure_partitions(int) FROM %I', who);
        END IF;
    END LOOP;
END $$;

-- The matrix. Everybody reads; a table that is not named here is the writer's alone.
DO $$
DECLARE
    who text;
    entry record;
    thing record;
BEGIN
    FOREACH who IN ARRAY ARRAY['writer', 'orders', 'flows', 'reader'] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ibkeeper_' || who);
        FOR thing IN
            SELECT c.relname FROM pg_class c
             WHERE c.relnamespace = 'ibkeeper'::regnamespace AND c.relkind IN ('r', 'p', 'v')
               AND NOT c.relispartition
        LOOP
            EXECUTE format('GRANT SELECT ON ibkeeper.%I TO %I', thing.relname, 'ibkeeper_' || who);
        END LOOP;
        FOR entry IN
            SELECT c.relname, coalesce(m.verbs, CASE who WHEN 'writer' THEN 'INSERT, UPDATE, DELETE' END)
                       AS verbs
              FROM pg_class c
              LEFT JOIN LATERAL (
                   SELECT CASE who WHEN 'writer' THEN writer WHEN 'orders' THEN orders
                                   WHEN 'flows' THEN flows ELSE '' END
                     FROM (VALUES
                           ('quote',             'INSERT',                              '', ''),
                           ('trade',             'INSERT',                              '', ''),
                           ('greeks',            'INSERT',                              '', ''),
                           ('instrument_stat',   'INSERT',                              '', ''),
                           ('ingest_batch',      'INSERT',                              '', ''),
                           ('ingest_order',      '',                                    '', ''),
                           ('feed_gap',          'INSERT, UPDATE',                      '', ''),
                           ('gap_fill',          'INSERT',                              '', ''),
                           ('backfill_quote',    'INSERT',                              '', ''),
                           ('backfill_trade',    'INSERT',                              '', ''),
                           ('backfill_bar',      'INSERT',                              '', ''),
                           ('feed_minute',       'INSERT, UPDATE',                      '', ''),
                           ('sink',              'INSERT, UPDATE',                      '', ''),
                           ('position_baseline', '',                                    '', 'INSERT, UPDATE'),
                           ('incident',          '',                                    '', ''),
                           ('alert',             'INSERT, UPDATE',                      '', 'INSERT, UPDATE'),
                           ('drill',             'INSERT',                              '', ''),
                           ('drill_step',        'INSERT',                              '', ''),
                           ('provider_switch',   'INSERT',                              '', ''),
                           ('sla_report',        '',                                    '', 'INSERT'),
                           ('rejected_tick',     'INSERT, UPDATE, DELETE',              '', ''),
                           ('quote_latest',      'INSERT, UPDATE, DELETE, TRUNCATE',    '', ''),
                           ('instrument',        'INSERT, UPDATE',                      '', ''),
                           ('watch',             'UPDATE',                              '', 'INSERT, UPDATE, DELETE'),
                           ('sidecar',           'INSERT, UPDATE',                      '', ''),
                           ('line_state',        'INSERT, UPDATE, DELETE',              '', ''),
                           ('line_cure',         'INSERT, UPDATE',                      '', ''),
                           ('session',           'INSERT, UPDATE',                      '', ''),
                           ('session_event',     'INSERT',                              '', ''),
                           ('request',           'UPDATE',                              '', 'INSERT, UPDATE'),
                           ('chain_snapshot',    'INSERT',                              '', ''),
                           ('chain_quote',       'INSERT',                              '', ''),
                           ('chain_expiry',      'INSERT',                              '', ''),
                           ('chain_listing',     'INSERT, UPDATE',                      '', ''),
                           ('risk_limit',        '',                                    '', ''),
                           ('kill_switch',       'INSERT',                              'INSERT', 'INSERT'),
                           ('arming',            '',                                    '', ''),
                           ('order_batch',       '',                                    '',       'INSERT, UPDATE'),
                           ('order_intent',      'UPDATE',                              'UPDATE', 'INSERT, UPDATE'),
                           ('order_event',       'INSERT',                              'INSERT', 'INSERT'),
                           ('order_id_high',     'INSERT, UPDATE',                      'INSERT, UPDATE', ''),
                           ('execution',         'INSERT',                              'INSERT', ''),
                           ('commission',        'INSERT, UPDATE',                      'INSERT, UPDATE', ''),
                           ('position',          'INSERT, UPDATE, DELETE',              'INSERT, UPDATE, DELETE', ''),
                           ('account_state',     'INSERT, UPDATE',                      'INSERT, UPDATE', ''),
                           ('bar_quote_kept',    '',                                    '', ''),
                           ('bar_trade_kept',    '',                                    '', ''),
                           ('bar_day',           '',                                    '', ''),
                           ('state_transition',  '',                                    '', ''),
                           ('alembic_version',   '',                                    '', '')
                          ) AS row (name, writer, orders, flows)
                    WHERE row.name = c.relname
                   ) AS m (verbs) ON true
             WHERE c.relnamespace = 'ibkeeper'::regnamespace AND c.relkind IN ('r', 'p')
               AND NOT c.relispartition
        LOOP
            CONTINUE WHEN coalesce(entry.verbs, '') = '';
            EXECUTE format('GRANT %s ON ibkeeper.%I TO %I',
                entry.verbs, entry.relname, 'ibkeeper_' || who);
        END LOOP;
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'ibkeeper_writer') THEN
        GRANT USAGE ON SEQUENCE ibkeeper.epoch_seq TO ibkeeper_writer;
    END IF;
END $$;
